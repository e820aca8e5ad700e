#pragma once

#include <cstdint>

namespace leyden::simd {

/// out[i] = e4m3(codes[i]) * scale, rounded once. [n] each, apart from each other; any n and scale.
/// FP8 E4M3 without infinities: quant/number.h. Codes 0x7f and 0xff give NaN.
using WidenE4m3Fn = void(const std::uint8_t* codes, int n, float scale, float* out) noexcept;

}  // namespace leyden::simd
