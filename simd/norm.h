#pragma once

/// Normalizations of one row. The same bits on every ISA level: sums run over 16 lanes (lane =
/// index mod 16, ascending) folded by a fixed tree (8, 4, 2, 1). Any n; y may be x.
/// A row whose mean square or variance is beyond f32, as it is from values around 1.8e19 on,
/// becomes NaN, all of it: 1 / infinity would make zeros of numbers.
namespace leyden::simd {

/// y = x / sqrt(mean(x^2) + eps) * weight (NUMERICS 2.2). x, weight, y: [n].
using RmsNormFn = void(const float* x, const float* weight, int n, float eps, float* y) noexcept;

/// y = (x - mean) / sqrt(var + eps) * weight + bias (NUMERICS 6.3), var = mean((x - mean)^2).
/// All [n].
using LayerNormFn = void(const float* x, const float* weight, const float* bias, int n, float eps,
                         float* y) noexcept;

}  // namespace leyden::simd
