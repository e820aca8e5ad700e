#include "simd/rotate.h"

#include "simd/lanes.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Eight interleaved pairs.
LEYDEN_INLINE void rotate_pairs(float* x, const float* cos, const float* sin) {
  const F32x16 v = load(x);
  store(x, fms_fma(v, load_doubled(cos), swap_lanes<1>(v) * load_doubled(sin)));
}

/// -1 in lanes that have the distance's bit.
constexpr float kSigns[4][16] = {{1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1},
                                 {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1},
                                 {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1},
                                 {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1}};

/// Butterflies inside a register: partner + x, or partner - x where the distance's bit is set.
/// The product with +-1 is exact, so the fma is that sum or difference.
template <int kDistance>
LEYDEN_INLINE F32x16 butterfly(F32x16 x) {
  constexpr int kStage = kDistance == 1 ? 0 : kDistance == 2 ? 1 : kDistance == 4 ? 2 : 3;
  return fma(x, load(kSigns[kStage]), swap_lanes<kDistance>(x));
}

}  // namespace

void rope_interleaved(float* x, const float* cos, const float* sin, int n) noexcept {
  int i = 0;
  for (; i + 16 <= n; i += 16) rotate_pairs(x + i, cos + i / 2, sin + i / 2);
  if (i == n) return;
  float pairs[16] = {}, angle_cos[8] = {}, angle_sin[8] = {};
  for (int k = i; k < n; ++k) pairs[k - i] = x[k];
  for (int k = i / 2; k < n / 2; ++k) {
    angle_cos[k - i / 2] = cos[k];
    angle_sin[k - i / 2] = sin[k];
  }
  rotate_pairs(pairs, angle_cos, angle_sin);
  for (int k = i; k < n; ++k) x[k] = pairs[k - i];
}

void rope_half_split(float* x, const float* cos, const float* sin, int n) noexcept {
  float* const high = x + n / 2;
  for_lanes(n / 2, [&](int i, auto lanes) {
    const F32x16 a = load(x + i, lanes), b = load(high + i, lanes);
    const F32x16 c = load(cos + i, lanes), s = load(sin + i, lanes);
    store(x + i, fms(a, c, b * s), lanes);
    store(high + i, fma(b, c, a * s), lanes);
  });
}

void hadamard(float* x, int n) noexcept {
  for_lanes(n, [&](int i, auto lanes) {
    F32x16 v = load(x + i, lanes);
    if (n > 1) v = butterfly<1>(v);
    if (n > 2) v = butterfly<2>(v);
    if (n > 4) v = butterfly<4>(v);
    if (n > 8) v = butterfly<8>(v);
    store(x + i, v, lanes);
  });
  for (int distance = 16; distance < n; distance *= 2) {
    for (int start = 0; start < n; start += 2 * distance) {
      for (int i = start; i < start + distance; i += 16) {
        const F32x16 a = load(x + i), b = load(x + i + distance);
        store(x + i, a + b);
        store(x + i + distance, a - b);
      }
    }
  }
  const F32x16 scale = broadcast(1.0f / __builtin_sqrtf(static_cast<float>(n)));
  for_lanes(n, [&](int i, auto lanes) { store(x + i, load(x + i, lanes) * scale, lanes); });
}

}  // namespace leyden::simd::LEYDEN_ISA
