#pragma once

#include <cstdint>

/// Row operations of the forward pass, value by value. The same bits on every ISA level: exp is
/// simd/exp.h, and the softmax sum runs over 16 lanes (lane = index mod 16, ascending) folded by a
/// fixed tree (8, 4, 2, 1). Any n; in and out may be the same row. Values are finite.
namespace leyden::simd {

/// out = silu(gate) * up, silu(g) = g / (1 + exp(-g)) (NUMERICS 2.3). All [n].
using SwigluFn = void(const float* gate, const float* up, int n, float* out) noexcept;

/// y += x. Both [n].
using AddFn = void(const float* x, int n, float* y) noexcept;

/// y = fma(scale, x, y). Both [n].
using ScaledAddFn = void(const float* x, float scale, int n, float* y) noexcept;

/// x = 1 / (1 + exp(-x)) in place, [n] (router scores, NUMERICS 5.1).
using SigmoidFn = void(float* x, int n) noexcept;

/// x = softmax(x) in place, [n] (V2's router, NUMERICS 5.1): exp(x - max) / sum.
using SoftmaxFn = void(float* x, int n) noexcept;

/// out = x widened. [n] each, apart from each other.
using WidenBf16Fn = void(const std::uint16_t* x, int n, float* out) noexcept;

}  // namespace leyden::simd
