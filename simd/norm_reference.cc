#include <cmath>
#include <limits>

#include "simd/norm.h"
#include "simd/reference_lanes.h"

namespace leyden::simd::scalar {
namespace {

/// 1 / sqrt(mean_square + eps), or NaN where that isn't finite.
float inverse_root(float mean_square, float eps) {
  return std::isfinite(mean_square) ? 1.0f / std::sqrt(mean_square + eps)
                                    : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

void rms_norm(const float* x, const float* weight, int n, float eps, float* y) noexcept {
  Lanes squares;
  for (int i = 0; i < n; ++i) squares[i] = std::fma(x[i], x[i], squares[i]);
  const float scale = inverse_root(squares.fold() / static_cast<float>(n), eps);
  for (int i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, int n, float eps,
                float* y) noexcept {
  Lanes sum, squares;
  for (int i = 0; i < n; ++i) sum[i] += x[i];
  const float mean = sum.fold() / static_cast<float>(n);
  for (int i = 0; i < n; ++i) squares[i] = std::fma(x[i] - mean, x[i] - mean, squares[i]);
  const float scale = inverse_root(squares.fold() / static_cast<float>(n), eps);
  for (int i = 0; i < n; ++i) y[i] = std::fma((x[i] - mean) * scale, weight[i], bias[i]);
}

}  // namespace leyden::simd::scalar
