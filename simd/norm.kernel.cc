#include "simd/norm.h"

#include "simd/lanes.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// 1 / sqrt(mean_square + eps), or NaN where that isn't finite.
LEYDEN_INLINE F32x16 inverse_root(float mean_square, float eps) {
  return broadcast(__builtin_isfinite(mean_square) ? 1.0f / __builtin_sqrtf(mean_square + eps)
                                                   : __builtin_nanf(""));
}

}  // namespace

void rms_norm(const float* x, const float* weight, int n, float eps, float* y) noexcept {
  F32x16 squares = zero_f32();
  for_lanes(n, [&](int i, auto lanes) {  // lanes past the end add zero squares
    const F32x16 v = load(x + i, lanes);
    squares = fma(v, v, squares);
  });
  const float mean_square = fold_add(squares) / static_cast<float>(n);
  const F32x16 scale = inverse_root(mean_square, eps);
  for_lanes(n, [&](int i, auto lanes) {
    store(y + i, load(x + i, lanes) * scale * load(weight + i, lanes), lanes);
  });
}

void layer_norm(const float* x, const float* weight, const float* bias, int n, float eps,
                float* y) noexcept {
  F32x16 sum = zero_f32();
  for_lanes(n, [&](int i, auto lanes) { sum = sum + load(x + i, lanes); });
  const F32x16 mean = broadcast(fold_add(sum) / static_cast<float>(n));
  F32x16 squares = zero_f32();
  for_lanes(n, [&](int i, auto lanes) {
    const F32x16 v = fill_rest(load(x + i, lanes) - mean, zero_f32(), lanes);
    squares = fma(v, v, squares);
  });
  const float variance = fold_add(squares) / static_cast<float>(n);
  const F32x16 scale = inverse_root(variance, eps);
  for_lanes(n, [&](int i, auto lanes) {
    const F32x16 normed = (load(x + i, lanes) - mean) * scale;
    store(y + i, fma(normed, load(weight + i, lanes), load(bias + i, lanes)), lanes);
  });
}

}  // namespace leyden::simd::LEYDEN_ISA
