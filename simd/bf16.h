#pragma once

#include <cstdint>

#if defined(LEYDEN_ISA)
#include "simd/vec.h"
#else
#include <bit>
#include <cmath>
#endif

/// bf16 by rounding to nearest even, NaN to the quiet NaN; and back. For kernels, and with the same
/// bits for references. (vcvtneps2bf16 would flush subnormals to zero.)
namespace leyden::simd {

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

/// The codes in the low halves of the lanes, zeros above.
LEYDEN_INLINE I32x16 to_bf16(F32x16 x) {
  const I32x16 bits = f32_as_bits(x);
  const I32x16 even = shift_right<16>(bits) & broadcast_i32(1);
  const F32x16 rounded = bits_as_f32(bits + broadcast_i32(0x7fff) + even);
  const F32x16 quiet_nan = bits_as_f32(broadcast_i32(0x7fc00000));
  return shift_right<16>(f32_as_bits(select(greater_equal(x, x), rounded, quiet_nan)));
}

/// to [n] bf16 = x [n].
LEYDEN_INLINE void store_bf16(std::uint16_t* to, const float* x, int n) {
  int i = 0;
  for (; i + 16 <= n; i += 16) store_low16(to + i, to_bf16(load(x + i)));
  if (i < n) {
    std::uint16_t last[16];
    store_low16(last, to_bf16(load_first(x + i, n - i)));
    __builtin_memcpy(to + i, last, static_cast<std::size_t>(n - i) * 2);
  }
}

}  // namespace
}  // namespace LEYDEN_ISA

#else
namespace scalar {

inline std::uint16_t to_bf16(float x) {
  if (std::isnan(x)) return 0x7fc0;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float from_bf16(std::uint16_t x) { return std::bit_cast<float>(std::uint32_t{x} << 16); }

}  // namespace scalar
#endif

}  // namespace leyden::simd
