#include "simd/quantize.h"

#include "simd/bf16.h"
#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kVectors = kBlock / 16;

/// The block's kVectors vectors of a row with `n` values left; the missing ones are zeros.
LEYDEN_INLINE void load_block(const float* x, int n, F32x16* v) {
  for (int i = 0; i < kVectors; ++i) {
    v[i] = n >= kBlock  ? load(x + 16 * i)
           : n > 16 * i ? load_first(x + 16 * i, n - 16 * i)
                        : zero_f32();
  }
}

LEYDEN_INLINE void quantize_block(const F32x16* v, std::int8_t* q, float* scale,
                                  std::int32_t* start_int4, std::int32_t* start_int8) {
  Magnitude magnitude;
  for (int i = 0; i < kVectors; ++i) magnitude.add(v[i]);
  const float max_abs = magnitude.max_abs();
  const bool is_zero = max_abs < kSmallestQuantized;
  *scale = is_zero ? 0.0f : max_abs / 127.0f;
  if (!(max_abs <= kLargestQuantized)) {
    __builtin_memset(q, 0, kBlock);
    for (int g = 0; g < kGroupsPerBlock; ++g) start_int4[g] = start_int8[g] = kFloatBiasBits;
    return;
  }
  const F32x16 inverse = broadcast(is_zero ? 0.0f : 127.0f / max_abs);
  for (int g = 0; g < kGroupsPerBlock; ++g) {
    const I32x16 low = round_to_i32(v[2 * g] * inverse);
    const I32x16 high = round_to_i32(v[2 * g + 1] * inverse);
    store_i8(q + kGroup * g, low);
    store_i8(q + kGroup * g + 16, high);
    const std::int32_t sum = fold_add(low + high);
    start_int4[g] = kFloatBiasBits - kInt4Offset * sum;
    start_int8[g] = kFloatBiasBits - kInt8Offset * sum;
  }
}

}  // namespace

void quantize_row(const float* x, int n, const PanelRow& row) noexcept {
  const int n_blocks = (n + kBlock - 1) / kBlock;
  for (int b = 0; b < n_blocks; ++b) {
    const std::ptrdiff_t cell = std::ptrdiff_t{b} * row.width;
    F32x16 v[kVectors];
    load_block(x + std::ptrdiff_t{b} * kBlock, n - b * kBlock, v);
    if (row.x != nullptr) {
      for (int i = 0; i < kVectors; ++i) store(row.x + cell * kBlock + 16 * i, v[i]);
    }
    if (row.bf16 != nullptr) {
      for (int i = 0; i < kVectors; ++i) {
        store_low16(row.bf16 + cell * kBlock + 16 * i, to_bf16(v[i]));
      }
    }
    if (row.q == nullptr) continue;
    quantize_block(v, row.q + cell * kBlock, row.scale + cell,
                   row.start_int4 + cell * kGroupsPerBlock,
                   row.start_int8 + cell * kGroupsPerBlock);
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
