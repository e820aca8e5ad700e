#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "simd/elementwise.h"
#include "simd/exp.h"
#include "simd/reference_lanes.h"

namespace leyden::simd::scalar {

void swiglu(const float* gate, const float* up, int n, float* out) noexcept {
  for (int i = 0; i < n; ++i) out[i] = gate[i] / (1.0f + exp_f32(0.0f - gate[i])) * up[i];
}

void add(const float* x, int n, float* y) noexcept {
  for (int i = 0; i < n; ++i) y[i] += x[i];
}

void scaled_add(const float* x, float scale, int n, float* y) noexcept {
  for (int i = 0; i < n; ++i) y[i] = std::fma(scale, x[i], y[i]);
}

void sigmoid(float* x, int n) noexcept {
  for (int i = 0; i < n; ++i) x[i] = 1.0f / (1.0f + exp_f32(0.0f - x[i]));
}

void softmax(float* x, int n) noexcept {
  float largest = -std::numeric_limits<float>::infinity();
  for (int i = 0; i < n; ++i) largest = std::max(largest, x[i]);
  Lanes sums;
  for (int i = 0; i < n; ++i) {
    x[i] = exp_f32(x[i] - largest);
    sums[i] += x[i];
  }
  const float sum = sums.fold();
  for (int i = 0; i < n; ++i) x[i] /= sum;
}

void widen_bf16(const std::uint16_t* x, int n, float* out) noexcept {
  for (int i = 0; i < n; ++i) out[i] = std::bit_cast<float>(std::uint32_t{x[i]} << 16);
}

}  // namespace leyden::simd::scalar
