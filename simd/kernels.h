#pragma once

#include "simd/attend.h"
#include "simd/e4m3.h"
#include "simd/elementwise.h"
#include "simd/index_scan.h"
#include "simd/index_tile.h"
#include "simd/isa.h"
#include "simd/kv_row.h"
#include "simd/matmul.h"
#include "simd/norm.h"
#include "simd/pack.h"
#include "simd/peak.h"
#include "simd/quantize.h"
#include "simd/rotate.h"
#include "simd/top_k.h"

namespace leyden::simd {

/// Every kernel: its name and the function type that is its contract (in the headers above).
#define LEYDEN_KERNELS(X)                       \
  X(read_all, ReadAllFn)                        \
  X(integer_peak, IntegerPeakFn)                \
  X(float_peak, FloatPeakFn)                    \
  X(matmul_f32, MatmulFn)                       \
  X(matmul_bf16, MatmulFn)                      \
  X(matmul_bf16_f32, MatmulFn)                  \
  X(matmul_int8, MatmulFn)                      \
  X(matmul_int4, MatmulFn)                      \
  X(quantize_row, QuantizeRowFn)                \
  X(rms_norm, RmsNormFn)                        \
  X(layer_norm, LayerNormFn)                    \
  X(rope_interleaved, RopeFn)                   \
  X(rope_half_split, RopeFn)                    \
  X(hadamard, HadamardFn)                       \
  X(swiglu, SwigluFn)                           \
  X(add, AddFn)                                 \
  X(scaled_add, ScaledAddFn)                    \
  X(sigmoid, SigmoidFn)                         \
  X(softmax, SoftmaxFn)                         \
  X(widen_bf16, WidenBf16Fn)                    \
  X(widen_e4m3, WidenE4m3Fn)                    \
  X(pack_columns, PackColumnsFn)                \
  X(pack_bf16, PackBf16Fn)                      \
  X(pack_int8, PackInt8Fn)                      \
  X(pack_int4, PackInt4Fn)                      \
  X(kv_store_f32, KvStoreFn)                    \
  X(kv_store_bf16, KvStoreFn)                   \
  X(kv_store_int8, KvStoreFn)                   \
  X(kv_load_f32, KvLoadFn)                      \
  X(kv_load_bf16, KvLoadFn)                     \
  X(kv_load_int8, KvLoadFn)                     \
  X(fix_query, FixQueryFn)                      \
  X(attend, AttendFn)                           \
  X(attend_int16, AttendFn)                     \
  X(latent_attend_f32, LatentAttendFn)          \
  X(latent_attend_bf16, LatentAttendFn)         \
  X(latent_attend_int8, LatentAttendFn)         \
  X(attend_merge, AttendMergeFn)                \
  X(index_store_f32, IndexStoreFn)              \
  X(index_store_bf16, IndexStoreFn)             \
  X(index_store_int8, IndexStoreFn)             \
  X(index_quantize_query, IndexQuantizeQueryFn) \
  X(index_scan_f32, IndexScanFn)                \
  X(index_scan_bf16, IndexScanFn)               \
  X(index_scan_int8, IndexScanFn)               \
  X(index_score_f32, IndexScoreFn)              \
  X(index_score_bf16, IndexScoreFn)             \
  X(index_score_int8, IndexScoreFn)             \
  X(top_k_select, TopKSelectFn)                 \
  X(top_k_make_room, TopKMakeRoomFn)            \
  X(top_k_merge, TopKMergeFn)

/// Those that the level amx has in a form of its own. It takes the others from avx512vnni.
#define LEYDEN_AMX_KERNELS(X)           \
  X(matmul_bf16, MatmulFn)              \
  X(matmul_int8, MatmulFn)              \
  X(matmul_int4, MatmulFn)              \
  X(attend_int16, AttendFn)             \
  X(latent_attend_bf16, LatentAttendFn) \
  X(latent_attend_int8, LatentAttendFn) \
  X(index_scan_int8, IndexScanFn)

#define LEYDEN_DECLARE(name, type) type name;
#define LEYDEN_FIELD(name, type) type* name;

namespace scalar {
LEYDEN_KERNELS(LEYDEN_DECLARE)
}
namespace avx2 {
LEYDEN_KERNELS(LEYDEN_DECLARE)
}
namespace avx512 {
LEYDEN_KERNELS(LEYDEN_DECLARE)
}
namespace avx512vnni {
LEYDEN_KERNELS(LEYDEN_DECLARE)
}
namespace amx {
LEYDEN_KERNELS(LEYDEN_DECLARE)
}

/// One function per kernel, all of one level.
struct Kernels {
  Isa isa;
  LEYDEN_KERNELS(LEYDEN_FIELD)
};

#undef LEYDEN_DECLARE
#undef LEYDEN_FIELD

/// The table of one level, or scalar's where the level wasn't built. The machine must have it
/// (cpu_has) before a function is called.
const Kernels& kernels(Isa isa);

/// The table this process uses: select_isa(getenv("LEYDEN_ISA")), decided at the first call.
/// Throws what select_isa throws.
const Kernels& kernels();

}  // namespace leyden::simd
