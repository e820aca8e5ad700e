#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "simd/bf16.h"
#include "simd/pack.h"

namespace leyden::simd::scalar {
namespace {

/// fp16 by its definition: 11 significant bits, in steps of at least 2^-24, to nearest even.
std::uint16_t to_fp16(float x) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const float size = std::abs(x);
  if (size >= 65520.0f) return sign | 0x7c00;
  const int exponent = size < 0x1p-14f ? -14 : std::ilogb(size);
  const float steps = std::nearbyint(std::ldexp(size, 10 - exponent));  // up to 2048
  return static_cast<std::uint16_t>(sign + ((exponent + 14) << 10) + static_cast<int>(steps));
}

float from_fp16(std::uint16_t code) {
  const int exponent = std::max(code >> 10 & 31, 1);
  const int steps = (code & 0x3ff) + ((code & 0x7c00) != 0 ? 0x400 : 0);
  const float size = std::ldexp(static_cast<float>(steps), exponent - 25);
  return (code & 0x8000) != 0 ? -size : size;
}

/// The weights of one row and group.
struct Group {
  float weight[kGroup];
  float importance[kGroup];
  int n;  // columns that count
};

Group group_of(const float* columns, int row, int group, int n_cols, const float* importance) {
  Group out = {};
  out.n = std::clamp(n_cols - group * kGroup, 0, kGroup);
  for (int k = 0; k < kGroup; ++k) {
    out.weight[k] = columns[(group * kGroup + k) * kTileRows + row];
    out.importance[k] = k < out.n && importance != nullptr ? importance[group * kGroup + k] : 1.0f;
  }
  return out;
}

float largest_of(const Group& group) {
  float largest = 0;
  for (int k = 0; k < group.n; ++k) largest = std::max(largest, std::abs(group.weight[k]));
  return largest;
}

/// Stores a row's scale; returns the inverse of what fp16 left of it.
float store_scale(float scale, int row, int group, std::byte* block) {
  const std::uint16_t code = to_fp16(scale);
  std::memcpy(block + (group * kTileRows + row) * 2, &code, sizeof code);
  return (code & 0x7fff) == 0 ? 0.0f : 1.0f / from_fp16(code);
}

int nearest(const Int4Levels& levels, float t) {
  int code = 0;
  for (int step = 0; step < 4; ++step) code = 2 * code + (t > levels.border[step][code] ? 1 : 0);
  return code;
}

struct Fit {
  float wl = 0, ll = 0, quotient = 0;
};

Fit fit(const Group& group, const Int4Levels& levels, float inverse) {
  Fit f;
  for (int k = 0; k < group.n; ++k) {
    const float level = levels.level[nearest(levels, group.weight[k] * inverse)];
    f.wl = std::fma(group.importance[k] * level, group.weight[k], f.wl);
    f.ll = std::fma(group.importance[k] * level, level, f.ll);
  }
  f.quotient = f.wl * f.wl / f.ll;
  return f;
}

float find_scale(const Group& group, const Int4Levels& levels) {
  const float largest = largest_of(group);
  if (largest == 0) return 0;
  float above = 0, below = 0;  // of zero
  for (int k = 0; k < group.n; ++k) {
    above = std::max(above, group.weight[k]);
    below = std::max(below, -group.weight[k]);
  }
  // The largest weight keeps its sign if the arm it is put at has the same.
  const float low = -levels.level[0], high = levels.level[kInt4Levels - 1];
  const float keeps_sign = (below > above) == (low > high) ? 1.0f : -1.0f;
  const float longer = keeps_sign * (std::max(low, high) / largest);
  const float shorter = -keeps_sign * (std::min(low, high) / largest);
  Fit best;
  const auto offer = [&](float inverse) {
    const Fit f = fit(group, levels, inverse);
    if (f.quotient > best.quotient) best = f;
  };
  for (const float share : kLongShares) offer(longer * share);
  for (const float share : kShortShares) offer(shorter * share);
  if (best.wl == 0) return 0;
  for (int i = 0; i < kInt4Refinements; ++i) offer(best.ll / best.wl);
  return best.wl / best.ll;
}

}  // namespace

float pack_columns(const float* rows, std::ptrdiff_t row_stride, int n_rows, int n_cols,
                   float* columns) noexcept {
  std::fill_n(columns, kBlock * kTileRows, 0.0f);
  std::uint32_t largest = 0;  // as integers NaN is above infinity, and that above all else
  for (int r = 0; r < n_rows; ++r) {
    for (int c = 0; c < n_cols; ++c) {
      const float weight = rows[r * row_stride + c];
      columns[c * kTileRows + r] = weight;
      largest = std::max(largest, std::bit_cast<std::uint32_t>(std::abs(weight)));
    }
  }
  return std::bit_cast<float>(largest);
}

void pack_bf16(const float* columns, std::byte* block) noexcept {
  for (int c = 0; c < kBlock; ++c) {
    for (int r = 0; r < kTileRows; ++r) {
      const std::uint16_t code = to_bf16(columns[c * kTileRows + r]);
      std::memcpy(block + ((c / 2 * kTileRows + r) * 2 + c % 2) * 2, &code, sizeof code);
    }
  }
}

void pack_int8(const float* columns, std::byte* block) noexcept {
  auto* const codes = reinterpret_cast<std::uint8_t*>(block + kBlockScaleBytes);
  for (int r = 0; r < kTileRows; ++r) {
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      const Group group = group_of(columns, r, g, kBlock, nullptr);
      const float exact = largest_of(group) / 127.0f;
      const float inverse = store_scale(exact < 0x1p-14f ? exact + 0x1p-25f : exact, r, g, block);
      for (int k = 0; k < kGroup; ++k) {
        const float steps = std::nearbyint(group.weight[k] * inverse);
        codes[((g * kGroup + k) / 4 * kTileRows + r) * 4 + k % 4] =
            static_cast<std::uint8_t>(static_cast<int>(steps) + kInt8Offset);
      }
    }
  }
}

void pack_int4(const float* columns, int n_cols, const Int4Levels& levels, const float* importance,
               std::byte* block) noexcept {
  auto* const codes = reinterpret_cast<std::uint8_t*>(block + kBlockScaleBytes);
  for (int r = 0; r < kTileRows; ++r) {
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      const Group group = group_of(columns, r, g, n_cols, importance);
      const float inverse = store_scale(find_scale(group, levels), r, g, block);
      for (int k = 0; k < kGroup; ++k) {
        const int code = nearest(levels, group.weight[k] * inverse);
        std::uint8_t& byte = codes[((g * kGroup + k) / 8 * kTileRows + r) * 4 + k % 4];
        byte = static_cast<std::uint8_t>(k % 8 < 4 ? code : byte + (code << 4));
      }
    }
  }
}

}  // namespace leyden::simd::scalar
