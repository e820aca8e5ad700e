#include <algorithm>
#include <bit>
#include <cmath>

#include "simd/elementwise.h"

// The formulas of elementwise.h in plain loops. The order of additions is part of the contract, so
// sums run over 16 lanes here too.
namespace leyden::simd::scalar {
namespace {

struct Lanes {
  float lane[16] = {};
  float fold() {
    for (int distance = 8; distance > 0; distance /= 2) {
      for (int i = 0; i < distance; ++i) lane[i] += lane[i + distance];
    }
    return lane[0];
  }
};

}  // namespace

void rms_norm(const float* x, const float* weight, int n, float eps, float* y) noexcept {
  Lanes squares;
  for (int i = 0; i < n; ++i) squares.lane[i % 16] = std::fma(x[i], x[i], squares.lane[i % 16]);
  const float scale = 1.0f / std::sqrt(squares.fold() / static_cast<float>(n) + eps);
  for (int i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

}  // namespace leyden::simd::scalar
