#include <algorithm>
#include <cmath>
#include <cstddef>

#include "simd/bf16.h"
#include "simd/quantize.h"

// The formulas of quantize.h in plain loops.
namespace leyden::simd::scalar {

void quantize_row(const float* x, int n, const PanelRow& row) noexcept {
  const int n_blocks = (n + kBlock - 1) / kBlock;
  for (int b = 0; b < n_blocks; ++b) {
    const std::ptrdiff_t cell = std::ptrdiff_t{b} * row.width;
    float v[kBlock] = {};
    std::copy_n(x + std::ptrdiff_t{b} * kBlock, std::min(kBlock, n - b * kBlock), v);
    if (row.x != nullptr) std::copy_n(v, kBlock, row.x + cell * kBlock);
    if (row.bf16 != nullptr) std::transform(v, v + kBlock, row.bf16 + cell * kBlock, to_bf16);
    if (row.q == nullptr) continue;

    Magnitude magnitude;
    for (const float value : v) magnitude.add(value);
    const float max_abs = magnitude.max_abs();
    const bool is_zero = max_abs < kSmallestQuantized;
    const bool is_finite = max_abs <= kLargestQuantized;
    row.scale[cell] = is_zero ? 0.0f : max_abs / 127.0f;
    const float inverse = is_zero ? 0.0f : 127.0f / max_abs;
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      std::int32_t sum = 0;
      for (int k = kGroup * g; k < kGroup * (g + 1); ++k) {
        const auto q = static_cast<std::int8_t>(is_finite ? std::lrint(v[k] * inverse) : 0);
        row.q[cell * kBlock + k] = q;
        sum += q;
      }
      row.start_int4[cell * kGroupsPerBlock + g] = kFloatBiasBits - kInt4Offset * sum;
      row.start_int8[cell * kGroupsPerBlock + g] = kFloatBiasBits - kInt8Offset * sum;
    }
  }
}

}  // namespace leyden::simd::scalar
