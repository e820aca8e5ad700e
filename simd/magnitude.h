#pragma once

#include <cstdint>

#if defined(LEYDEN_ISA)
#include "simd/vec.h"
#else
#include <algorithm>
#include <bit>
#include <cmath>
#endif

/// Magnitude finds max |x| of values that shall share a scale: call add() for all of them, then
/// max_abs(). The bits of floats without a sign are ordered as integers like the floats themselves,
/// with infinity above all numbers and NaN above infinity, so a NaN can't get lost as it does in
/// float maxima. For kernels, and for references.
namespace leyden::simd {

/// Below it 127 / max |x| could overflow.
constexpr float kSmallestQuantized = 1e-35f;
/// Above it max |x| is infinite. False for a NaN too: max_abs <= kLargestQuantized.
constexpr float kLargestQuantized = 3.4028234663852886e38f;

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

struct Magnitude {
  I32x16 largest = zero_i32();

  [[gnu::always_inline]] void add(F32x16 x) { largest = max(f32_as_bits(abs(x)), largest); }
  [[gnu::always_inline]] float max_abs() const {
    const std::int32_t bits = fold_max(largest);
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
  }
};

}  // namespace
}  // namespace LEYDEN_ISA

#else
namespace scalar {

struct Magnitude {
  std::int32_t largest = 0;

  void add(float x) { largest = std::max(largest, std::bit_cast<std::int32_t>(std::fabs(x))); }
  float max_abs() const { return std::bit_cast<float>(largest); }
};

}  // namespace scalar
#endif

}  // namespace leyden::simd
