#include <cmath>

#include "simd/norm.h"
#include "simd/reference_lanes.h"

namespace leyden::simd::scalar {

void rms_norm(const float* x, const float* weight, int n, float eps, float* y) noexcept {
  Lanes squares;
  for (int i = 0; i < n; ++i) squares[i] = std::fma(x[i], x[i], squares[i]);
  const float scale = 1.0f / std::sqrt(squares.fold() / static_cast<float>(n) + eps);
  for (int i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, int n, float eps,
                float* y) noexcept {
  Lanes sum, squares;
  for (int i = 0; i < n; ++i) sum[i] += x[i];
  const float mean = sum.fold() / static_cast<float>(n);
  for (int i = 0; i < n; ++i) squares[i] = std::fma(x[i] - mean, x[i] - mean, squares[i]);
  const float scale = 1.0f / std::sqrt(squares.fold() / static_cast<float>(n) + eps);
  for (int i = 0; i < n; ++i) y[i] = std::fma((x[i] - mean) * scale, weight[i], bias[i]);
}

}  // namespace leyden::simd::scalar
