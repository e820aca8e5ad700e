#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "simd/bf16.h"
#include "simd/matmul.h"

// The equations of matmul.h in plain loops, one weight at a time.
namespace leyden::simd::scalar {
namespace {

template <typename T>
T read(const std::byte* p, std::size_t index) {
  T value;
  std::memcpy(&value, p + index * sizeof(T), sizeof(T));
  return value;
}

float widen_fp16(std::uint16_t h) {
  const int exponent = h >> 10 & 0x1f;
  const float mantissa = static_cast<float>(h & 0x3ff);
  const float magnitude = exponent == 0    ? std::ldexp(mantissa, -24)
                          : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                           : std::ldexp(mantissa + 1024, exponent - 25);
  return h >> 15 ? -magnitude : magnitude;
}

// Weight of row r and column k of one block of a tile, as layout.h places it.

float weight_f32(const std::byte* block, int r, int k) {
  return read<float>(block, std::size_t(k) * kTileRows + r);
}

float weight_bf16(const std::byte* block, int r, int k) {
  const auto half = read<std::uint16_t>(block, (std::size_t(k / 2) * kTileRows + r) * 2 + k % 2);
  return std::bit_cast<float>(std::uint32_t{half} << 16);
}

float group_scale(const std::byte* block, int r, int g) {
  return widen_fp16(read<std::uint16_t>(block, std::size_t(g) * kTileRows + r));
}

struct Int8 {
  static constexpr std::size_t kBytes = kBlockBytesInt8;
  static std::int32_t weight(const std::byte* block, const std::uint8_t*, int r, int k) {
    const std::byte* quads = block + kBlockScaleBytes;
    return read<std::uint8_t>(quads, (std::size_t(k / 4) * kTileRows + r) * 4 + k % 4) -
           kInt8Offset;
  }
};

struct Int4 {
  static constexpr std::size_t kBytes = kBlockBytesInt4;
  static std::int32_t weight(const std::byte* block, const std::uint8_t* levels, int r, int k) {
    const std::byte* pairs = block + kBlockScaleBytes;
    const auto byte = read<std::uint8_t>(pairs, (std::size_t(k / 8) * kTileRows + r) * 4 + k % 4);
    return levels[k / 4 % 2 == 0 ? byte & 15 : byte >> 4] - kInt4Offset;
  }
};

/// Calls result(row, panel, token of the panel, output) for every output.
template <typename Result>
void for_each_output(const MatmulArgs& args, Result&& result) {
  float* out = args.out;
  for (int p = 0; p < args.n_panels; ++p) {
    for (int t = 0; t < args.panels[p].width; ++t, out += args.out_stride) {
      for (int row = 0; row < args.n_rows; ++row) out[row] = result(row, args.panels[p], t);
    }
  }
}

template <std::size_t kBlockBytes, typename Weight>
void matmul_float(const MatmulArgs& args, Weight weight) {
  for_each_output(args, [&](int row, const ActivationPanel& panel, int t) {
    const std::byte* block =
        args.tiles + std::size_t(row / kTileRows) * args.n_blocks * kBlockBytes;
    float sum[4] = {};
    for (int b = 0; b < args.n_blocks; ++b, block += kBlockBytes) {
      const float* x = panel.x + (std::ptrdiff_t{b} * panel.width + t) * kBlock;
      for (int k = 0; k < kBlock; ++k) {
        sum[k % 4] = std::fma(x[k], weight(block, row % kTileRows, k), sum[k % 4]);
      }
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  });
}

constexpr float kSmallestNormal = 0x1p-126f;

float without_subnormal(float x) {
  return std::abs(x) < kSmallestNormal ? std::copysign(0.0f, x) : x;
}

/// fma whose subnormal factors, addend and result are zeros. Subnormal is what is too small when it
/// has been rounded to 24 bits with any exponent, so a result that std::fma, which has fewer bits
/// there, rounds up to the smallest normal number is rounded again at another height.
float flushing_fma(float a, float b, float c) {
  a = without_subnormal(a);
  b = without_subnormal(b);
  c = without_subnormal(c);
  const float result = std::fma(a, b, c);
  if (std::abs(result) != kSmallestNormal) return without_subnormal(result);
  // Such a result is inexact only where c is small; then neither scaled factor can overflow.
  if (std::abs(c) > 1) return result;
  constexpr float kUp = 0x1p32f;
  const float higher =
      std::abs(a) < std::abs(b) ? std::fma(a * kUp, b, c * kUp) : std::fma(a, b * kUp, c * kUp);
  return std::abs(higher) < kSmallestNormal * kUp ? std::copysign(0.0f, result) : result;
}

template <typename Format>
void matmul_integer(const MatmulArgs& args) {
  for_each_output(args, [&](int row, const ActivationPanel& panel, int t) {
    const int r = row % kTileRows;
    const std::byte* block =
        args.tiles + std::size_t(row / kTileRows) * args.n_blocks * Format::kBytes;
    float sum = 0;
    for (int b = 0; b < args.n_blocks; ++b, block += Format::kBytes) {
      const std::ptrdiff_t cell = std::ptrdiff_t{b} * panel.width + t;
      float s[kGroupsPerBlock];
      for (int g = 0; g < kGroupsPerBlock; ++g) s[g] = group_scale(block, r, g);
      float part = -kFloatBias * ((s[0] + s[1]) + (s[2] + s[3]));
      for (int g = 0; g < kGroupsPerBlock; ++g) {
        std::int32_t dot = 0;
        for (int k = kGroup * g; k < kGroup * (g + 1); ++k) {
          dot += Format::weight(block, args.levels, r, k) * panel.q[cell * kBlock + k];
        }
        part = std::fma(kFloatBias + static_cast<float>(dot), s[g], part);
      }
      sum = std::fma(part, panel.scale[cell], sum);
    }
    return sum;
  });
}

}  // namespace

void matmul_f32(const MatmulArgs& args) noexcept { matmul_float<kBlockBytesF32>(args, weight_f32); }

void matmul_bf16_f32(const MatmulArgs& args) noexcept {
  matmul_float<kBlockBytesBf16>(args, weight_bf16);
}

void matmul_bf16(const MatmulArgs& args) noexcept {
  for_each_output(args, [&](int row, const ActivationPanel& panel, int t) {
    const std::byte* block =
        args.tiles + std::size_t(row / kTileRows) * args.n_blocks * kBlockBytesBf16;
    float sum = 0;
    for (int b = 0; b < args.n_blocks; ++b, block += kBlockBytesBf16) {
      const std::uint16_t* x = panel.bf16 + (std::ptrdiff_t{b} * panel.width + t) * kBlock;
      for (int g = 0; g < kBlock; g += kGroup) {
        float part[2] = {};
        for (int k = g; k < g + kGroup; ++k) {
          part[k % 2] =
              flushing_fma(from_bf16(x[k]), weight_bf16(block, row % kTileRows, k), part[k % 2]);
        }
        sum = without_subnormal(sum + without_subnormal(part[0] + part[1]));
      }
    }
    return sum;
  });
}

void matmul_int8(const MatmulArgs& args) noexcept { matmul_integer<Int8>(args); }

void matmul_int4(const MatmulArgs& args) noexcept { matmul_integer<Int4>(args); }

}  // namespace leyden::simd::scalar
