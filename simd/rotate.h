#pragma once

/// Rotations of one row in place. The same bits on every ISA level.
namespace leyden::simd {

/// Rotates n / 2 pairs of x [n], n even, by the angles whose cos and sin [n / 2] are given:
///   (a, b) -> (fma(a, cos, -(b sin)), fma(b, cos, a sin))
/// Interleaved: pairs (2i, 2i + 1), MLA (NUMERICS 3.4). Half split: (i, i + n / 2), the indexer
/// (3.5).
using RopeFn = void(float* x, const float* cos, const float* sin, int n) noexcept;

/// Orthonormal Walsh-Hadamard transform of x [n], n a power of two, in Sylvester order (NUMERICS
/// 6.4): butterflies of distance 1, 2, 4 ... n / 2, then times 1 / sqrt(n).
using HadamardFn = void(float* x, int n) noexcept;

}  // namespace leyden::simd
