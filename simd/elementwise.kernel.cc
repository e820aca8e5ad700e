#include "simd/elementwise.h"

#include "simd/exp.h"
#include "simd/lanes.h"

namespace leyden::simd::LEYDEN_ISA {

void swiglu(const float* gate, const float* up, int n, float* out) noexcept {
  for_lanes(n, [&](int i, auto lanes) {
    const F32x16 g = load(gate + i, lanes);
    const F32x16 silu = g / (broadcast(1.0f) + exp_f32(zero_f32() - g));
    store(out + i, silu * load(up + i, lanes), lanes);
  });
}

void add(const float* x, int n, float* y) noexcept {
  for_lanes(
      n, [&](int i, auto lanes) { store(y + i, load(y + i, lanes) + load(x + i, lanes), lanes); });
}

void scaled_add(const float* x, float scale, int n, float* y) noexcept {
  const F32x16 factor = broadcast(scale);
  for_lanes(n, [&](int i, auto lanes) {
    store(y + i, fma(factor, load(x + i, lanes), load(y + i, lanes)), lanes);
  });
}

void sigmoid(float* x, int n) noexcept {
  const F32x16 one = broadcast(1.0f);
  for_lanes(n, [&](int i, auto lanes) {
    store(x + i, one / (one + exp_f32(zero_f32() - load(x + i, lanes))), lanes);
  });
}

void softmax(float* x, int n) noexcept {
  const F32x16 lowest = broadcast(-__builtin_inff());
  F32x16 largest = lowest;
  for_lanes(n, [&](int i, auto lanes) {
    largest = max(fill_rest(load(x + i, lanes), lowest, lanes), largest);
  });
  const F32x16 shift = broadcast(fold_max(largest));
  F32x16 sums = zero_f32();
  for_lanes(n, [&](int i, auto lanes) {
    const F32x16 e = exp_f32(load(x + i, lanes) - shift);
    store(x + i, e, lanes);
    sums = sums + fill_rest(e, zero_f32(), lanes);
  });
  const F32x16 sum = broadcast(fold_add(sums));
  for_lanes(n, [&](int i, auto lanes) { store(x + i, load(x + i, lanes) / sum, lanes); });
}

void widen_bf16(const std::uint16_t* x, int n, float* out) noexcept {
  for_lanes(n, [&](int i, auto lanes) { store(out + i, load_bf16(x + i, lanes), lanes); });
}

}  // namespace leyden::simd::LEYDEN_ISA
