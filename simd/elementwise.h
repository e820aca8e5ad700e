#pragma once

#include <cstdint>

/// Row operations of the forward pass. All of them give the same bits on every ISA level: sums run
/// over 16 lanes (lane = index mod 16, ascending, fma) folded by a fixed tree (8, 4, 2, 1), and
/// exp is one polynomial. Sizes are arbitrary unless stated; in and out may be the same row.
namespace leyden::simd {

/// y = x / sqrt(mean(x^2) + eps) * weight (NUMERICS 2.2). x, weight, y: [n].
using RmsNormFn = void(const float* x, const float* weight, int n, float eps, float* y) noexcept;

/// y = (x - mean) / sqrt(var + eps) * weight + bias (NUMERICS 6.3). All [n].
using LayerNormFn = void(const float* x, const float* weight, const float* bias, int n, float eps,
                         float* y) noexcept;

/// Rotates n / 2 pairs of x [n] in place by the angles whose cos and sin [n / 2] are given.
/// Interleaved: pairs (2i, 2i + 1), MLA (NUMERICS 3.4). Half split: (i, i + n / 2), the indexer
/// (3.5).
using RopeFn = void(float* x, const float* cos, const float* sin, int n) noexcept;

/// Orthonormal Walsh-Hadamard transform of x [n] in place, n a power of two (NUMERICS 6.4).
using HadamardFn = void(float* x, int n) noexcept;

/// out = silu(gate) * up, silu(g) = g / (1 + exp(-g)) (NUMERICS 2.3). All [n].
using SwigluFn = void(const float* gate, const float* up, int n, float* out) noexcept;

/// y += x. Both [n].
using AddFn = void(const float* x, int n, float* y) noexcept;

/// y = fma(scale, x, y). Both [n].
using ScaledAddFn = void(const float* x, float scale, int n, float* y) noexcept;

/// x = 1 / (1 + exp(-x)) in place, [n] (router scores, NUMERICS 5.1).
using SigmoidFn = void(float* x, int n) noexcept;

/// x = softmax(x) in place, [n], n > 0 (V2's router, NUMERICS 5.1).
using SoftmaxFn = void(float* x, int n) noexcept;

/// out = x widened. [n] each.
using WidenBf16Fn = void(const std::uint16_t* x, int n, float* out) noexcept;

}  // namespace leyden::simd
