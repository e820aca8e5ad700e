#pragma once

#include <cstdint>

#if defined(LEYDEN_ISA)
#include "simd/vec.h"
#else
#include <bit>
#include <cmath>
#include <limits>
#endif

/// exp(x) for kernels and, in the same operations and so with the same bits, for references:
///   n = round to nearest even(x * log2 e), r = x - n ln 2 in two fmas,
///   exp(x) = 2^n (1 + r + r^2 q(r)), |r| <= ln 2 / 2.
/// q interpolates (e^r - 1 - r) / r^2 at the five Chebyshev nodes of that interval; its own error
/// is 1e-8; measured over all floats the result is within 0.94 ulp. x below -87.3365 (a subnormal
/// result) gives 0, x above 88.7228 gives infinity, NaN gives NaN.
namespace leyden::simd {

constexpr float kExpLow = -0x1.5d589ep+6f;  // the last float above ln of the smallest normal
constexpr float kExpHigh = 0x1.62e42ep+6f;  // the last float below ln of the largest
constexpr float kLog2E = 0x1.715476p+0f;    // log2 e
constexpr float kLn2High = 0x1.62e4p-1f;    // 15 bits of ln 2: n * kLn2High is exact
constexpr float kLn2Low = 0x1.7f7d1cp-20f;  // the rest
constexpr float kRoundMagic = 0x1.8p+23f;   // x + this keeps round(x) in the low mantissa bits
constexpr float kExpQ1 = 0x1.5554dep-3f;    // q(r) = 1/2 + kExpQ1 r + ... + kExpQ4 r^4
constexpr float kExpQ2 = 0x1.55551ap-5f;
constexpr float kExpQ3 = 0x1.120b62p-7f;
constexpr float kExpQ4 = 0x1.6d10fcp-10f;

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

LEYDEN_INLINE F32x16 exp_f32(F32x16 x) {
  const F32x16 shifted = fma(x, broadcast(kLog2E), broadcast(kRoundMagic));
  const F32x16 n = shifted - broadcast(kRoundMagic);
  const F32x16 r = fnma(n, broadcast(kLn2Low), fnma(n, broadcast(kLn2High), x));
  F32x16 q = fma(broadcast(kExpQ4), r, broadcast(kExpQ3));
  q = fma(q, r, broadcast(kExpQ2));
  q = fma(q, r, broadcast(kExpQ1));
  q = fma(q, r, broadcast(0.5f));
  const F32x16 p = fma(fma(q, r, broadcast(1.0f)), r, broadcast(1.0f));
  const F32x16 scaled = bits_as_f32(f32_as_bits(p) + shift_left<23>(f32_as_bits(shifted)));
  // x * infinity: infinity above kExpHigh, NaN for NaN
  const F32x16 high =
      select(greater_equal(broadcast(kExpHigh), x), scaled, x * broadcast(__builtin_inff()));
  return select(greater_equal(broadcast(kExpLow), x), zero_f32(), high);
}

}  // namespace
}  // namespace LEYDEN_ISA

#else
namespace scalar {

inline float exp_f32(float x) {
  const float shifted = std::fma(x, kLog2E, kRoundMagic);
  const float n = shifted - kRoundMagic;
  const float r = std::fma(-n, kLn2Low, std::fma(-n, kLn2High, x));
  float q = std::fma(kExpQ4, r, kExpQ3);
  q = std::fma(q, r, kExpQ2);
  q = std::fma(q, r, kExpQ1);
  q = std::fma(q, r, 0.5f);
  const float p = std::fma(std::fma(q, r, 1.0f), r, 1.0f);
  if (kExpLow >= x) return 0.0f;
  if (!(x <= kExpHigh)) return x * std::numeric_limits<float>::infinity();
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) +
                              (std::bit_cast<std::uint32_t>(shifted) << 23));
}

}  // namespace scalar
#endif

}  // namespace leyden::simd
