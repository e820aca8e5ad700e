#include <algorithm>
#include <array>
#include <cstring>

#include "quant/number.h"
#include "quant/pack.h"

namespace leyden::quant {
namespace {

constexpr int kRows = simd::kTileRows;

float value_at(WeightFormat format, const std::byte* tile, int row, int col) {
  if (format == WeightFormat::kF32) {  // [col][row]
    float value;
    std::memcpy(&value, tile + (col * kRows + row) * 4, sizeof value);
    return value;
  }
  std::uint16_t bf16;  // [col / 2][row][2]
  std::memcpy(&bf16, tile + ((col / 2 * kRows + row) * 2 + col % 2) * 2, sizeof bf16);
  return bf16_to_f32(bf16);
}

/// Weights of an int8 or int4 tile, group by group, in the order of its bytes (simd/layout.h).
class GroupUnpacker {
 public:
  GroupUnpacker(const TileView& tile, float* rows, std::ptrdiff_t row_stride)
      : tile_(tile), rows_(rows), row_stride_(row_stride) {
    for (std::size_t i = 0; tile.levels != nullptr && i < level_.size(); ++i) {
      level_[i] = static_cast<float>(tile.levels[i] - simd::kInt4Offset);
    }
  }

  void unpack(int first_col) {
    const auto block = static_cast<std::size_t>(first_col / simd::kBlock);
    const auto group = static_cast<std::size_t>(first_col % simd::kBlock / simd::kGroup);
    const std::byte* const start = tile_.data + block * block_bytes(tile_.format);
    std::uint16_t scales[kRows];
    std::memcpy(scales, start + group * sizeof scales, sizeof scales);
    for (int r = 0; r < kRows; ++r) scale_[static_cast<std::size_t>(r)] = fp16_to_f32(scales[r]);
    const bool is_int8 = tile_.format == WeightFormat::kInt8;
    const int n_lines = is_int8 ? 8 : 4;  // of 64 bytes: 16 rows x 4
    const auto* line = reinterpret_cast<const std::uint8_t*>(start) + simd::kBlockScaleBytes +
                       group * static_cast<std::size_t>(n_lines * simd::kLine);
    for (int i = 0; i < n_lines; ++i, line += simd::kLine) {
      if (is_int8) {
        unpack_line(first_col + 4 * i, line,
                    [](int byte) { return static_cast<float>(byte - simd::kInt8Offset); });
      } else {
        unpack_line(first_col + 8 * i, line, [this](int byte) { return level_at(byte & 15); });
        unpack_line(first_col + 8 * i + 4, line, [this](int byte) { return level_at(byte >> 4); });
      }
    }
  }

 private:
  float level_at(int code) const { return level_[static_cast<std::size_t>(code)]; }

  template <class Value>
  void unpack_line(int first_col, const std::uint8_t* line, const Value& value) {
    const int n = std::clamp(tile_.cols - first_col, 0, 4);
    for (int r = 0; r < tile_.n_rows; ++r) {
      float* const to = rows_ + r * row_stride_ + first_col;
      for (int c = 0; c < n; ++c) {
        to[c] = scale_[static_cast<std::size_t>(r)] * value(line[r * 4 + c]);
      }
    }
  }

  const TileView& tile_;
  float* rows_;
  std::ptrdiff_t row_stride_;
  std::array<float, simd::kInt4Levels> level_ = {};
  std::array<float, kRows> scale_ = {};
};

}  // namespace

void unpack_tile(const TileView& tile, float* rows, std::ptrdiff_t row_stride) noexcept {
  if (tile.format == WeightFormat::kInt8 || tile.format == WeightFormat::kInt4) {
    GroupUnpacker unpacker(tile, rows, row_stride);
    for (int c = 0; c < tile.cols; c += simd::kGroup) unpacker.unpack(c);
    return;
  }
  for (int r = 0; r < tile.n_rows; ++r) {
    for (int c = 0; c < tile.cols; ++c) {
      rows[r * row_stride + c] = value_at(tile.format, tile.data, r, c);
    }
  }
}

void unpack_tile(const MatrixView& matrix, std::int64_t i, float* rows,
                 std::ptrdiff_t row_stride) noexcept {
  const std::int64_t left = matrix.rows - i * kRows;
  const auto n_rows = static_cast<int>(std::min<std::int64_t>(kRows, left));
  unpack_tile(
      {matrix.format, n_rows, static_cast<int>(matrix.cols), matrix.tile(i), matrix.levels()}, rows,
      row_stride);
}

}  // namespace leyden::quant
