#include "formats/gguf_blocks.h"

#include <array>
#include <bit>
#include <cstring>

#include "quant/number.h"

namespace leyden::formats {
namespace {

using Byte = std::uint8_t;

// IQ4_NL and IQ4_XS: what a 4-bit code stands for.
constexpr std::array<std::int8_t, 16> kIq4Levels{-127, -104, -83, -65, -49, -35, -22, -10,
                                                 1,    13,   25,  38,  53,  69,  89,  113};
// MXFP4: twice the E2M1 values. Code 8 is +0, not -0.
constexpr std::array<std::int8_t, 16> kMxfp4Levels{0, 1,  2,  3,  4,  6,  8,  12,
                                                   0, -1, -2, -3, -4, -6, -8, -12};

template <typename T>
T load(const Byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

float half(const Byte* from) { return quant::fp16_to_f32(load<std::uint16_t>(from)); }

/// Code i of 32 nibbles: byte j holds value j low and value j + 16 high.
int nibble(const Byte* bytes, int i) { return bytes[i % 16] >> (4 * (i / 16)) & 15; }

/// Code i of 256 two-bit codes, in the order of Q2_K and Q3_K.
int two_bits(const Byte* bytes, int i) {
  return bytes[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3;
}

/// Code i of 256 nibbles of Q4_K and Q5_K: 32 bytes serve two groups of 32.
int k_nibble(const Byte* bytes, int i) {
  return bytes[32 * (i / 64) + i % 32] >> (4 * (i % 64 / 32)) & 15;
}

void decode_q4_0(const Byte* block, float* to) noexcept {
  const float d = half(block);
  for (int i = 0; i < 32; ++i) to[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

void decode_q4_1(const Byte* block, float* to) noexcept {
  const float d = half(block);
  const float m = half(block + 2);
  for (int i = 0; i < 32; ++i) to[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

void decode_q5_0(const Byte* block, float* to) noexcept {
  const float d = half(block);
  const auto high = load<std::uint32_t>(block + 2);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block + 6, i) | static_cast<int>(high >> i & 1) << 4;
    to[i] = d * static_cast<float>(q - 16);
  }
}

void decode_q5_1(const Byte* block, float* to) noexcept {
  const float d = half(block);
  const float m = half(block + 2);
  const auto high = load<std::uint32_t>(block + 4);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block + 8, i) | static_cast<int>(high >> i & 1) << 4;
    to[i] = d * static_cast<float>(q) + m;
  }
}

void decode_q8_0(const Byte* block, float* to) noexcept {
  const float d = half(block);
  for (int i = 0; i < 32; ++i) to[i] = d * static_cast<std::int8_t>(block[2 + i]);
}

void decode_iq4_nl(const Byte* block, float* to) noexcept {
  const float d = half(block);
  for (int i = 0; i < 32; ++i) to[i] = d * kIq4Levels[nibble(block + 2, i)];
}

void decode_mxfp4(const Byte* block, float* to) noexcept {
  // 2^(e - 128): exponents 0 and 1 lie below binary32's normal range.
  const std::uint32_t e = block[0];
  const float d = std::bit_cast<float>(e >= 2 ? (e - 1) << 23 : 0x200000u << e);
  for (int i = 0; i < 32; ++i) to[i] = d * kMxfp4Levels[nibble(block + 1, i)];
}

void decode_q2_k(const Byte* block, float* to) noexcept {
  const float d = half(block + 80);
  const float m = half(block + 82);
  for (int i = 0; i < 256; ++i) {
    const Byte scales = block[i / 16];
    to[i] = d * static_cast<float>(scales & 15) * static_cast<float>(two_bits(block + 16, i)) -
            m * static_cast<float>(scales >> 4);
  }
}

void decode_q3_k(const Byte* block, float* to) noexcept {
  const float d = half(block + 108);
  for (int i = 0; i < 256; ++i) {
    const int g = i / 16;
    const int low = block[96 + g % 8] >> (4 * (g / 8)) & 15;
    const int high = block[104 + g % 4] >> (2 * (g / 4)) & 3;
    const int scale = (low | high << 4) - 32;
    const bool is_high = (block[i % 32] >> (i / 32) & 1) != 0;
    const int q = two_bits(block + 32, i) - (is_high ? 0 : 4);
    to[i] = d * static_cast<float>(scale) * static_cast<float>(q);
  }
}

/// Scale and minimum of group g of Q4_K and Q5_K, six bits each, from their twelve bytes.
struct ScaleAndMinimum {
  float scale;
  float minimum;
};

ScaleAndMinimum k_group(const Byte* b, int g) {
  const int scale = g < 4 ? b[g] & 63 : (b[g + 4] & 15) | (b[g - 4] >> 6) << 4;
  const int minimum = g < 4 ? b[g + 4] & 63 : b[g + 4] >> 4 | (b[g] >> 6) << 4;
  return {static_cast<float>(scale), static_cast<float>(minimum)};
}

void decode_q4_k(const Byte* block, float* to) noexcept {
  const float d = half(block);
  const float m = half(block + 2);
  for (int g = 0; g < 8; ++g) {
    const auto [scale, minimum] = k_group(block + 4, g);
    for (int i = 32 * g; i < 32 * (g + 1); ++i) {
      to[i] = d * scale * static_cast<float>(k_nibble(block + 16, i)) - m * minimum;
    }
  }
}

void decode_q5_k(const Byte* block, float* to) noexcept {
  const float d = half(block);
  const float m = half(block + 2);
  for (int g = 0; g < 8; ++g) {
    const auto [scale, minimum] = k_group(block + 4, g);
    for (int i = 32 * g; i < 32 * (g + 1); ++i) {
      const int q = k_nibble(block + 48, i) | (block[16 + i % 32] >> g & 1) << 4;
      to[i] = d * scale * static_cast<float>(q) - m * minimum;
    }
  }
}

void decode_q6_k(const Byte* block, float* to) noexcept {
  const float d = half(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int h = i / 128;
    const int r = i % 128;
    const int low = block[64 * h + r % 64] >> (4 * (r / 64)) & 15;
    const int high = block[128 + 32 * h + r % 32] >> (2 * (r / 32)) & 3;
    const auto scale = static_cast<std::int8_t>(block[192 + i / 16]);
    to[i] = d * scale * static_cast<float>((low | high << 4) - 32);
  }
}

void decode_iq4_xs(const Byte* block, float* to) noexcept {
  const float d = half(block);
  const auto high = load<std::uint16_t>(block + 2);
  for (int g = 0; g < 8; ++g) {
    const int low = block[4 + g / 2] >> (4 * (g % 2)) & 15;
    const int scale = (low | (high >> (2 * g) & 3) << 4) - 32;
    for (int i = 0; i < 32; ++i) {
      to[32 * g + i] = d * static_cast<float>(scale) * kIq4Levels[nibble(block + 8 + 16 * g, i)];
    }
  }
}

}  // namespace

BlockDecoder block_decoder(TensorType type) {
  switch (type) {
    case TensorType::kQ4_0:
      return decode_q4_0;
    case TensorType::kQ4_1:
      return decode_q4_1;
    case TensorType::kQ5_0:
      return decode_q5_0;
    case TensorType::kQ5_1:
      return decode_q5_1;
    case TensorType::kQ8_0:
      return decode_q8_0;
    case TensorType::kQ2K:
      return decode_q2_k;
    case TensorType::kQ3K:
      return decode_q3_k;
    case TensorType::kQ4K:
      return decode_q4_k;
    case TensorType::kQ5K:
      return decode_q5_k;
    case TensorType::kQ6K:
      return decode_q6_k;
    case TensorType::kIq4Nl:
      return decode_iq4_nl;
    case TensorType::kIq4Xs:
      return decode_iq4_xs;
    case TensorType::kMxfp4:
      return decode_mxfp4;
    default:
      return nullptr;
  }
}

}  // namespace leyden::formats
