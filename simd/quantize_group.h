#pragma once

#include <cstdint>

#include "simd/quantize.h"

#if defined(LEYDEN_ISA)
#include "simd/vec.h"
#else
#include <algorithm>
#include <cmath>
#endif

/// quantize_group(x, n, limit, q): the codes in [-limit, limit] of n > 0 values that share one
/// scale, which is returned:
///   scale = max |x| / limit, q = round to nearest even(x * (limit / max |x|));
///   a group below kSmallestQuantized gets scale 0 and codes 0.
/// For kernels, and with the same bits for references.
namespace leyden::simd {

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

LEYDEN_INLINE float quantize_group(const float* x, int n, float limit, std::int8_t* q) {
  F32x16 largest = zero_f32();
  for (int i = 0; i < n; i += 16) largest = max(abs(load_first(x + i, n - i)), largest);
  const float max_abs = fold_max(largest);
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
  float max_abs = 0;
  for (int i = 0; i < n; ++i) max_abs = std::max(max_abs, std::fabs(x[i]));
  const bool is_zero = max_abs < kSmallestQuantized;
  const float inverse = is_zero ? 0.0f : limit / max_abs;
  for (int i = 0; i < n; ++i) q[i] = static_cast<std::int8_t>(std::lrint(x[i] * inverse));
  return is_zero ? 0.0f : max_abs / limit;
}

}  // namespace scalar
#endif

}  // namespace leyden::simd
