#include "quant/number.h"

#include <algorithm>

#include "simd/kernels.h"

namespace leyden::quant {

std::uint16_t f32_to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  // Adding just under half, plus the bit that makes ties go to even, carries where it must.
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const std::uint32_t quiet_nan = (bits >> 16) | 0x40u;
  return static_cast<std::uint16_t>(is_nan ? quiet_nan : rounded);
}

std::uint16_t f32_to_fp16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t code = 0;
  if (magnitude > 0x7f800000u) {
    code = 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // 65520: halfway between the largest binary16 and 2^16
    code = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14: normal in binary16
    const std::uint32_t rebased = magnitude - ((127u - 15u) << 23);
    code = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
  } else {
    // Adding 0.5 leaves units of 2^-24 at the end of the mantissa: the adder rounds for us.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    code = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  }
  return static_cast<std::uint16_t>(sign | code);
}

std::uint8_t f32_to_e4m3(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t code = 0;
  if (magnitude > 0x7f800000u) {
    code = 0x7fu;
  } else if (magnitude >= std::bit_cast<std::uint32_t>(448.0f)) {
    code = 0x7eu;
  } else if (magnitude >= std::bit_cast<std::uint32_t>(0x1p-6f)) {
    const std::uint32_t rebased = magnitude - ((127u - 7u) << 23);
    code = (rebased + 0x7ffffu + ((rebased >> 20) & 1u)) >> 20;
  } else {
    // Adding 2^14 leaves units of 2^-9 at the end of the mantissa, as in f32_to_fp16.
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
    code = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0x1p14f);
  }
  return static_cast<std::uint8_t>(sign | code);
}

void bf16_to_f32(std::span<const std::uint16_t> from, float* to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = bf16_to_f32(from[i]);
}

void fp16_to_f32(std::span<const std::uint16_t> from, float* to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = fp16_to_f32(from[i]);
}

void f32_to_bf16(std::span<const float> from, std::uint16_t* to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = f32_to_bf16(from[i]);
}

void e4m3_to_f32(std::span<const std::uint8_t> from, float scale, float* to) noexcept {
  simd::kernels().widen_e4m3(from.data(), static_cast<int>(from.size()), scale, to);
}

std::size_t first_non_finite(std::span<const float> values) noexcept {
  const auto is_non_finite = [](float value) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7f800000u) == 0x7f800000u;
  };
  // Whole batches without an early exit, which the compiler turns into vector compares.
  constexpr std::size_t kBatch = 1024;
  for (std::size_t begin = 0; begin < values.size(); begin += kBatch) {
    const auto batch = values.subspan(begin, std::min(kBatch, values.size() - begin));
    bool found = false;
    for (const float value : batch) found |= is_non_finite(value);
    if (!found) continue;
    const auto first = std::find_if(batch.begin(), batch.end(), is_non_finite);
    return begin + static_cast<std::size_t>(first - batch.begin());
  }
  return values.size();
}

}  // namespace leyden::quant
