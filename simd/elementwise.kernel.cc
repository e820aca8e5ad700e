#include "simd/elementwise.h"

#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {

void rms_norm(const float* x, const float* weight, int n, float eps, float* y) noexcept {
  F32x16 squares = zero_f32();
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    const F32x16 v = load(x + i);
    squares = fma(v, v, squares);
  }
  if (i < n) {  // lanes past the end add zero squares
    const F32x16 v = load_first(x + i, n - i);
    squares = fma(v, v, squares);
  }
  const float mean = fold_add(squares) / static_cast<float>(n) + eps;
  const F32x16 scale = broadcast(1.0f / __builtin_sqrtf(mean));
  for (i = 0; i + 16 <= n; i += 16) store(y + i, load(x + i) * scale * load(weight + i));
  if (i < n) {
    store_first(y + i, load_first(x + i, n - i) * scale * load_first(weight + i, n - i), n - i);
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
