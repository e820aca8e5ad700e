#pragma once

#include "simd/attend.h"
#include "simd/exp.h"

/// exponentiate: turns a query's scores into p, and sets max and sum (simd/attend.h). For kernels,
/// and with the same bits for references.
namespace leyden::simd {

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

/// s [n_keys]: p of the first n_visible keys, then zeros. Reads and writes whole lines of 16.
LEYDEN_INLINE void exponentiate(float* s, int n_visible, int n_keys, float* max_out,
                                float* sum_out) {
  const F32x16 nothing = broadcast(-__builtin_inff());
  F32x16 largest = nothing;
  for (int k = 0; k < n_visible; k += 16) {
    largest = max(select(first_lanes(n_visible - k), load(s + k), nothing), largest);
  }
  const float top = fold_max(largest);
  F32x16 sum = zero_f32();
  for (int k = 0; k < n_keys; k += 16) {
    const Mask16 seen = first_lanes(n_visible - k);
    const F32x16 p = select(seen, exp_f32(load(s + k) - broadcast(top)), zero_f32());
    store(s + k, p);
    sum = sum + p;
  }
  *max_out = top;
  *sum_out = fold_add(sum);
}

}  // namespace
}  // namespace LEYDEN_ISA

#else
namespace scalar {

/// s [n].
inline void exponentiate(float* s, int n, float* max_out, float* sum_out) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int k = 0; k < n; ++k) largest = s[k] > largest ? s[k] : largest;
  float lane[16] = {};
  for (int k = 0; k < n; ++k) {
    s[k] = exp_f32(s[k] - largest);
    lane[k % 16] += s[k];
  }
  for (int distance = 8; distance > 0; distance /= 2) {
    for (int i = 0; i < distance; ++i) lane[i] += lane[i + distance];
  }
  *max_out = largest;
  *sum_out = lane[0];
}

}  // namespace scalar
#endif

}  // namespace leyden::simd
