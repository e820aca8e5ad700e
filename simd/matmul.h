#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/isa.h"
#include "simd/layout.h"

namespace leyden::simd {

/// Activations of `width` (1 to kPanelTokens) tokens, cut into cells of 128 columns so that every
/// token of a cell lies at a constant distance. Columns beyond the true width are zero. matmul_f32
/// and matmul_bf16_f32 read `x`, matmul_bf16 reads `bf16`, int8 and int4 weights read the rest.
/// What a caller doesn't need may be null.
struct ActivationPanel {
  const float* x = nullptr;             // [n_blocks, width, 128]
  const std::uint16_t* bf16 = nullptr;  // [n_blocks, width, 128], x rounded (simd/bf16.h)
  const std::int8_t* q = nullptr;       // [n_blocks, width, 128], x = scale * q, |q| <= 127
  const float* scale = nullptr;         // [n_blocks, width]
  // Where an accumulator of unsigned weights times q must start: kFloatBiasBits, and what makes the
  // weights' offset drop out, -64 (int4) or -128 (int8) times the sum of q over each group of 32.
  const std::int32_t* start_int4 = nullptr;  // [n_blocks, width, 4]
  const std::int32_t* start_int8 = nullptr;  // [n_blocks, width, 4]
  int width = 0;
};

/// One product of a run of weight tiles with some panels.
struct MatmulArgs {
  const std::byte* tiles =
      nullptr;       // n_tiles tiles of n_blocks blocks each (simd/layout.h), 64-byte aligned
  int n_rows = 0;    // rows to compute; the last tile may be cropped
  int n_blocks = 0;  // ceil(columns / 128)
  const std::uint8_t* levels = nullptr;     // [16], int4 only
  const ActivationPanel* panels = nullptr;  // [n_panels]
  int n_panels = 0;
  float* out = nullptr;           // [tokens of all panels in order, n_rows], overwritten
  std::ptrdiff_t out_stride = 0;  // floats between the rows of two tokens
  /// Tiles of the same format that the caller will probably read next, or null for those that
  /// follow in memory: the last reads ahead go there.
  const std::byte* next = nullptr;
  /// The panel that the caller will probably multiply next, of as many blocks, or null. Likewise.
  const ActivationPanel* next_panel = nullptr;
  /// What lead_of_cpu(), dots_bf16_at_once() and loads_are_scarce() say. For speed only, but
  /// bf16_at_once needs has_bf16_dot().
  Lead lead = Lead::kL1;
  bool bf16_at_once = false;
  bool loads_are_scarce = false;
  std::byte* scratch =
      nullptr;  // kMatmulScratchBytes, 64-byte aligned, private to the caller's thread
};

constexpr std::size_t kMatmulScratchBytes = 32 * 1024;

/// out[t][r] = sum_k x[t][k] * W[r][k].
///
/// int8 and int4: the dot product of a group of 32 is an exact int32 i[g]. The additions of floats
/// are, for a row and a token,
///     acc = 0
///     for every block b: part = -kFloatBias * ((s[0] + s[1]) + (s[2] + s[3])), s = w_scale[r]
///                        for its groups g: part = fma(kFloatBias + i[g], s[g], part)
///                        acc = fma(part, a_scale[t][b], acc)
/// The bias (simd/layout.h) costs precision: about one in i[g], a hundredth of the error that the
/// quantization of x already made there. It saves a tenth of the time of a prefill. So it is while
/// a row's four scales in a block lie within about 2^11 of each other, where their sum is exact.
/// Beyond, the error is a step of the largest one, even where its group's activations are zero.
/// matmul_f32, and matmul_bf16_f32 for bf16 weights times f32 activations: four sums, k = 4j + s:
/// acc[s] = fma(x[t][k], W[r][k], acc[s]) with j ascending, then (acc[0] + acc[1]) +
/// (acc[2] + acc[3]).
/// matmul_bf16, bf16 weights times bf16 activations: even and odd columns of a group of 32 apart,
///     acc = 0
///     for every group: e = o = 0
///                      for its columns k = 0, 2, .. 30: e = fma(x[t][k], W[r][k], e)
///                                                       o = fma(x[t][k + 1], W[r][k + 1], o)
///                      acc = acc + (e + o)
/// where a subnormal that goes into any of these steps counts as zero, and one that comes out (the
/// result, rounded as if there were exponents enough, is below 2^-126) becomes zero, of its sign.
/// That is the arithmetic of Intel's TDPBF16PS for a group, and that of vdpbf16ps, which adds the
/// odd half of a pair first, for columns k and k + 2 put into a pair; checked on both against this
/// emulation over some 10^8 random and extreme values.
/// Hence the same bits on every ISA level, but for the sign and payload of a NaN, for any split of
/// rows and tokens over calls.
/// Errors: none. Sizes were checked when the weights were bound.
using MatmulFn = void(const MatmulArgs& args) noexcept;

}  // namespace leyden::simd
