#pragma once

#include <cstdint>

#include "simd/magnitude.h"

#if !defined(LEYDEN_ISA)
#include <cmath>
#endif

/// quantize_group(x, n, limit, q): the codes in [-limit, limit] of n > 0 values that share one
/// scale, which is returned:
///   scale = max |x| / limit, q = round to nearest even(x * (limit / max |x|));
///   a group below kSmallestQuantized gets scale 0 and codes 0;
///   one with an infinity or a NaN gets that as its scale (NaN before infinity) and codes 0.
/// For kernels, and with the same bits for references.
namespace leyden::simd {

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

LEYDEN_INLINE float quantize_group(const float* x, int n, float limit, std::int8_t* q) {
  Magnitude magnitude;
  for (int i = 0; i < n; i += 16) magnitude.add(load_first(x + i, n - i));
  const float max_abs = magnitude.max_abs();
  if (!(max_abs <= kLargestQuantized)) {
    __builtin_memset(q, 0, static_cast<std::size_t>(n));
    return max_abs;
  }
  const bool is_zero = max_abs < kSmallestQuantized;
  const F32x16 inverse = broadcast(is_zero ? 0.0f : limit / max_abs);
  int i = 0;
  for (; i + 16 <= n; i += 16) store_i8(q + i, round_to_i32(load(x + i) * inverse));
  if (i < n) {
    std::int8_t last[16];
    store_i8(last, round_to_i32(load_first(x + i, n - i) * inverse));
    __builtin_memcpy(q + i, last, static_cast<std::size_t>(n - i));
  }
  return is_zero ? 0.0f : max_abs / limit;
}

}  // namespace
}  // namespace LEYDEN_ISA

#else
namespace scalar {

inline float quantize_group(const float* x, int n, float limit, std::int8_t* q) {
  Magnitude magnitude;
  for (int i = 0; i < n; ++i) magnitude.add(x[i]);
  const float max_abs = magnitude.max_abs();
  if (!(max_abs <= kLargestQuantized)) {
    std::fill_n(q, n, std::int8_t{0});
    return max_abs;
  }
  const bool is_zero = max_abs < kSmallestQuantized;
  const float inverse = is_zero ? 0.0f : limit / max_abs;
  for (int i = 0; i < n; ++i) q[i] = static_cast<std::int8_t>(std::lrint(x[i] * inverse));
  return is_zero ? 0.0f : max_abs / limit;
}

}  // namespace scalar
#endif

}  // namespace leyden::simd
