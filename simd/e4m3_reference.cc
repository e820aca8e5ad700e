#include <array>
#include <bit>
#include <limits>

#include "simd/e4m3.h"
#include "simd/kernels.h"

namespace leyden::simd::scalar {
namespace {

constexpr std::array<float, 256> make_values() {
  std::array<float, 256> values{};
  for (std::uint32_t code = 0; code < 128; ++code) {
    const std::uint32_t exponent = code >> 3, mantissa = code & 7;
    float value = static_cast<float>(mantissa) * 0x1p-9f;
    if (exponent > 0) value = std::bit_cast<float>((exponent + 127 - 7) << 23 | mantissa << 20);
    if (code == 0x7f) value = std::numeric_limits<float>::quiet_NaN();
    values[code] = value;
    values[code | 0x80] = code == 0x7f ? value : -value;
  }
  return values;
}

constexpr std::array<float, 256> kValues = make_values();

}  // namespace

void widen_e4m3(const std::uint8_t* codes, int n, float scale, float* out) noexcept {
  for (int i = 0; i < n; ++i) out[i] = kValues[codes[i]] * scale;
}

}  // namespace leyden::simd::scalar
