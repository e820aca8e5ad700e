#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace leyden::quant {

static_assert(std::endian::native == std::endian::little,
              "files store little-endian numbers, and leyden reads them in place");

/// The number formats of checkpoints, as raw codes. Every conversion to float is exact (each code
/// is a binary32 value); every conversion from float rounds to nearest, ties to even, and keeps NaN
/// a NaN.

/// bfloat16: the upper half of a binary32.
constexpr float bf16_to_f32(std::uint16_t code) noexcept {
  return std::bit_cast<float>(std::uint32_t{code} << 16);
}

/// IEEE binary16. Infinities and NaN map to infinities and NaN.
constexpr float fp16_to_f32(std::uint16_t code) noexcept {
  const std::uint32_t sign = std::uint32_t{code & 0x8000u} << 16;
  const std::uint32_t magnitude = code & 0x7fffu;
  const std::uint32_t rebased = (magnitude << 13) + ((127u - 15u) << 23);
  const std::uint32_t special = rebased + ((255u - 31u - 127u + 15u) << 23);
  // A subnormal is mantissa * 2^-24: put the mantissa below a leading one worth 2^-14 and take the
  // one away again. No binary32 subnormal is touched, so denormals-are-zero can't change a weight.
  const float subnormal =
      std::bit_cast<float>((magnitude << 13) | (113u << 23)) - std::bit_cast<float>(113u << 23);
  const std::uint32_t bits = magnitude >= 0x7c00u  ? special
                             : magnitude >= 0x400u ? rebased
                                                   : std::bit_cast<std::uint32_t>(subnormal);
  return std::bit_cast<float>(bits | sign);
}

/// FP8 E4M3 without infinities ("e4m3fn"): exponent bias 7, 3 mantissa bits, subnormals
/// mantissa * 2^-9, 0x7e is 448, 0x7f and 0xff are NaN (NUMERICS 7.1).
constexpr float e4m3_to_f32(std::uint8_t code) noexcept {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  float value = 0;
  if (exponent == 15 && mantissa == 7) {
    value = std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    value = static_cast<float>(mantissa) * 0x1p-9f;
  } else {
    value = std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127 - 7) << 23 |
                                 static_cast<std::uint32_t>(mantissa) << 20);
  }
  return code & 0x80 ? -value : value;
}

/// Overflow becomes infinity.
std::uint16_t f32_to_bf16(float value) noexcept;

/// Overflow (from 65520 on) becomes infinity.
std::uint16_t f32_to_fp16(float value) noexcept;

/// Saturates at +-448, infinities included.
std::uint8_t f32_to_e4m3(float value) noexcept;

/// Many at once; `to` holds at least as many values as `from`. Errors: none.
void bf16_to_f32(std::span<const std::uint16_t> from, float* to) noexcept;
void fp16_to_f32(std::span<const std::uint16_t> from, float* to) noexcept;
void f32_to_bf16(std::span<const float> from, std::uint16_t* to) noexcept;

/// to[i] = e4m3(from[i]) * scale, one rounding: the dequantization of NUMERICS 7.2 within a block.
void e4m3_to_f32(std::span<const std::uint8_t> from, float scale, float* to) noexcept;

/// Index of the first value that is NaN or infinite, or values.size().
std::size_t first_non_finite(std::span<const float> values) noexcept;

}  // namespace leyden::quant
