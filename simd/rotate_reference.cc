#include <cmath>

#include "simd/rotate.h"

namespace leyden::simd::scalar {
namespace {

void rotate(float& a, float& b, float cos, float sin) {
  const float turned = std::fma(a, cos, -(b * sin));
  b = std::fma(b, cos, a * sin);
  a = turned;
}

}  // namespace

void rope_interleaved(float* x, const float* cos, const float* sin, int n) noexcept {
  for (int i = 0; i < n / 2; ++i) rotate(x[2 * i], x[2 * i + 1], cos[i], sin[i]);
}

void rope_half_split(float* x, const float* cos, const float* sin, int n) noexcept {
  for (int i = 0; i < n / 2; ++i) rotate(x[i], x[i + n / 2], cos[i], sin[i]);
}

void hadamard(float* x, int n) noexcept {
  for (int distance = 1; distance < n; distance *= 2) {
    for (int i = 0; i < n; ++i) {
      if ((i & distance) != 0) continue;
      const float a = x[i], b = x[i + distance];
      x[i] = a + b;
      x[i + distance] = a - b;
    }
  }
  const float scale = 1.0f / std::sqrt(static_cast<float>(n));
  for (int i = 0; i < n; ++i) x[i] *= scale;
}

}  // namespace leyden::simd::scalar
