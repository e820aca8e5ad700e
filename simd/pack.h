#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/layout.h"

/// Packing of weights into blocks (simd/layout.h). The common ground is a block as columns,
/// [128 columns][16 rows] f32, so that a lane is a row and every row's sums run over its columns in
/// ascending order: the same bits on every ISA level.
namespace leyden::simd {

/// Turns n_rows (1..16) rows of n_cols (1..128) weights, row_stride floats apart, into columns
/// [128][16]; missing rows and columns become zeros. This is an f32 block.
/// Returns the largest |weight|: infinite or NaN when a weight is.
using PackColumnsFn = float(const float* rows, std::ptrdiff_t row_stride, int n_rows, int n_cols,
                            float* columns) noexcept;

/// A bf16 block: every weight to the nearest, ties to even.
using PackBf16Fn = void(const float* columns, std::byte* block) noexcept;

/// An int8 block. Per row and group, with m the largest |weight|:
///   scale = fp16(m / 127), a subnormal one rounded up so that m stays within 127 steps
///   code  = nearest even(weight * (1 / scale)) + 128, or 128 throughout when scale is 0
/// Weights are finite, m <= 127 * 65504.
using PackInt8Fn = void(const float* columns, std::byte* block) noexcept;

/// The 16 levels of an int4 matrix, ascending, and the borders between neighbours, (a + b) / 2, as
/// a tree for a search in four steps: step s compares with border[s][what the steps before found].
struct Int4Levels {
  float level[kInt4Levels];
  float border[4][8];
};

/// Scales that an int4 search tries: they put the group's largest |weight| at these shares of the
/// table's longer arm, or, with the other sign, of its shorter one. Chosen one by one, then moved,
/// for the least error on Gaussian, Laplace, uniform and Student's weights with tables learned for
/// them; within 0.2 % of what 56 shares a sign reach (bench/RESULTS.md). Where 0.74 and 0.81 win,
/// the largest weight ends at the last level but one.
constexpr float kLongShares[] = {0.74f, 0.81f, 0.92f, 0.97f, 1.02f, 1.08f};
constexpr float kShortShares[] = {0.96f, 1.01f, 1.07f};
/// Rounds of exact least squares on the best of them.
constexpr int kInt4Refinements = 1;

/// An int4 block. Per row and group, looks for the scale s and the codes c that make
///   sum_k importance[k] (weight[k] - s level[c[k]])^2,  k < n_cols
/// small. c[k] is the level nearest to weight[k] / s (a tie goes to the lower one), and for given
/// codes the best scale is sum(i w l) / sum(i l^2), which lowers the error by
/// sum(i w l)^2 / sum(i l^2): trial scales are compared by that quotient. The best is refined,
/// rounded to fp16, and the codes are chosen once more for the rounded scale.
/// importance [n_cols], each > 0, or null: all 1. Weights are finite, at most 65504 in size; groups
/// whose scale rounds to 0 get the code nearest to zero.
using PackInt4Fn = void(const float* columns, int n_cols, const Int4Levels& levels,
                        const float* importance, std::byte* block) noexcept;

}  // namespace leyden::simd
