#include "quant/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/group_codes.h"
#include "quant/int4_fit.h"
#include "quant/number.h"

namespace leyden::quant {
namespace {

constexpr float kLargestBf16 = 0x1.fep+127f;
constexpr float kLargestFp16 = 65504.0f;

float largest_weight(const TileRows& rows) {
  float largest = 0;
  for (int r = 0; r < rows.n_rows; ++r) {
    const float* row = rows.weight + r * rows.row_stride;
    for (int c = 0; c < rows.cols; ++c) {
      if (!std::isfinite(row[c])) return row[c];
      largest = std::max(largest, std::abs(row[c]));
    }
  }
  return largest;
}

/// The largest weight a format can hold, whatever the other weights of its group are.
float limit(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return std::numeric_limits<float>::max();
    case WeightFormat::kBf16:
      return kLargestBf16;
    case WeightFormat::kInt8:
      return kLargestFp16 * 127;
    case WeightFormat::kInt4:
      return kLargestFp16;
  }
  return 0;
}

/// The first n of 32 values, then zeros.
std::array<float, simd::kGroup> padded(const float* from, int n) {
  std::array<float, simd::kGroup> group = {};
  std::copy_n(from, std::clamp(n, 0, simd::kGroup), group.begin());
  return group;
}

GroupCodes fit_int8(const std::array<float, simd::kGroup>& x) {
  float largest = 0;
  for (const float v : x) largest = std::max(largest, std::abs(v));
  GroupCodes codes;
  codes.scale = f32_to_fp16(largest / 127.0f);
  // Subnormal scales are coarse: one rounded far down would clip the largest weight.
  if (fp16_to_f32(codes.scale) * 127.5f < largest && codes.scale != 0) ++codes.scale;
  const float scale = fp16_to_f32(codes.scale);
  const float inverse = scale == 0 ? 0 : 1.0f / scale;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const float q = std::clamp(std::nearbyint(x[k] * inverse), -127.0f, 127.0f);
    codes.code[k] = static_cast<std::uint8_t>(static_cast<int>(q) + simd::kInt8Offset);
  }
  return codes;
}

void pack_groups(WeightFormat format, const TileRows& rows, std::byte* tile) {
  std::array<float, simd::kGroup> ones;
  ones.fill(1.0f);
  const LevelSteps steps(rows.levels != nullptr ? *rows.levels : kEvenLevels);
  const int n_groups = (rows.cols + simd::kBlock - 1) / simd::kBlock * simd::kGroupsPerBlock;
  for (int r = 0; r < simd::kTileRows; ++r) {
    const float* row = rows.weight + std::min(r, rows.n_rows - 1) * rows.row_stride;
    for (int g = 0; g < n_groups; ++g) {
      const int first = std::min(g * simd::kGroup, rows.cols);
      const int n = r < rows.n_rows ? rows.cols - first : 0;
      const auto x = padded(row + first, n);
      if (format == WeightFormat::kInt8) {
        write_group(format, fit_int8(x), r, g, tile);
      } else {
        const float* importance =
            rows.importance != nullptr ? rows.importance + first : ones.data();
        write_group(format, fit_int4(x, padded(importance, n), steps), r, g, tile);
      }
    }
  }
}

/// Byte of weight [row][col] in a tile of plain values: f32 [col][row], bf16 [col / 2][row][2].
std::size_t value_offset(WeightFormat format, int row, int col) {
  return format == WeightFormat::kF32
             ? static_cast<std::size_t>(col * simd::kTileRows + row) * 4
             : static_cast<std::size_t>((col / 2 * simd::kTileRows + row) * 2 + col % 2) * 2;
}

void pack_values(WeightFormat format, const TileRows& rows, std::byte* tile) {
  const int n_blocks = (rows.cols + simd::kBlock - 1) / simd::kBlock;
  std::memset(tile, 0, static_cast<std::size_t>(n_blocks) * block_bytes(format));
  for (int r = 0; r < rows.n_rows; ++r) {
    const float* row = rows.weight + r * rows.row_stride;
    for (int c = 0; c < rows.cols; ++c) {
      std::byte* to = tile + value_offset(format, r, c);
      const std::uint16_t bf16 = f32_to_bf16(row[c]);
      if (format == WeightFormat::kF32) {
        std::memcpy(to, &row[c], 4);
      } else {
        std::memcpy(to, &bf16, 2);
      }
    }
  }
}

}  // namespace

std::string_view describe(PackStatus status) {
  switch (status) {
    case PackStatus::kOk:
      return "fine";
    case PackStatus::kNotFinite:
      return "a weight is infinite or not a number";
    case PackStatus::kTooLarge:
      return "a weight is too large for the format";
  }
  return "?";
}

PackStatus pack_tile(WeightFormat format, const TileRows& rows, std::byte* tile) noexcept {
  const float largest = largest_weight(rows);
  if (!std::isfinite(largest)) return PackStatus::kNotFinite;
  if (largest > limit(format)) return PackStatus::kTooLarge;
  if (format == WeightFormat::kF32 || format == WeightFormat::kBf16) {
    pack_values(format, rows, tile);
  } else {
    pack_groups(format, rows, tile);
  }
  return PackStatus::kOk;
}

void unpack_tile(const MatrixView& matrix, std::int64_t i, float* rows,
                 std::ptrdiff_t row_stride) noexcept {
  const std::byte* tile = matrix.tile(i);
  const auto n_rows =
      static_cast<int>(std::min<std::int64_t>(simd::kTileRows, matrix.rows - i * simd::kTileRows));
  const auto cols = static_cast<int>(matrix.cols);
  for (int r = 0; r < n_rows; ++r) {
    float* row = rows + r * row_stride;
    for (int c = 0; c < cols; ++c) {
      const std::byte* from = tile + value_offset(matrix.format, r, c);
      if (matrix.format == WeightFormat::kF32) {
        std::memcpy(row + c, from, 4);
      } else if (matrix.format == WeightFormat::kBf16) {
        std::uint16_t bf16;
        std::memcpy(&bf16, from, 2);
        row[c] = bf16_to_f32(bf16);
      } else if (c % simd::kGroup == 0) {
        const GroupCodes codes = read_group(matrix.format, tile, r, c / simd::kGroup);
        const float scale = fp16_to_f32(codes.scale);
        for (int k = 0; k < simd::kGroup && c + k < cols; ++k) {
          const int code = codes.code[static_cast<std::size_t>(k)];
          const int value = matrix.format == WeightFormat::kInt8
                                ? code - simd::kInt8Offset
                                : matrix.levels()[code] - simd::kInt4Offset;
          row[c + k] = scale * static_cast<float>(value);
        }
      }
    }
  }
}

}  // namespace leyden::quant
