#include <algorithm>
#include <cstring>

#include "quant/group_codes.h"
#include "quant/number.h"
#include "quant/pack.h"

namespace leyden::quant {
namespace {

float value_at(WeightFormat format, const std::byte* tile, int row, int col) {
  if (format == WeightFormat::kF32) {  // [col][row]
    float value;
    std::memcpy(&value, tile + (col * simd::kTileRows + row) * 4, sizeof value);
    return value;
  }
  std::uint16_t bf16;  // [col / 2][row][2]
  std::memcpy(&bf16, tile + ((col / 2 * simd::kTileRows + row) * 2 + col % 2) * 2, sizeof bf16);
  return bf16_to_f32(bf16);
}

/// The 32 (at the row's end fewer) weights of one group.
void unpack_group(const MatrixView& matrix, const GroupCodes& codes, int n, float* to) {
  const float scale = fp16_to_f32(codes.scale);
  for (int k = 0; k < n; ++k) {
    const int code = codes.code[static_cast<std::size_t>(k)];
    const int value = matrix.format == WeightFormat::kInt8
                          ? code - simd::kInt8Offset
                          : matrix.levels()[code] - simd::kInt4Offset;
    to[k] = scale * static_cast<float>(value);
  }
}

}  // namespace

void unpack_tile(const MatrixView& matrix, std::int64_t i, float* rows,
                 std::ptrdiff_t row_stride) noexcept {
  const std::byte* const tile = matrix.tile(i);
  const std::int64_t n_rows =
      std::min<std::int64_t>(simd::kTileRows, matrix.rows - i * simd::kTileRows);
  const auto cols = static_cast<int>(matrix.cols);
  const bool grouped = matrix.format == WeightFormat::kInt8 || matrix.format == WeightFormat::kInt4;
  for (int r = 0; r < n_rows; ++r) {
    float* const row = rows + r * row_stride;
    for (int c = 0; !grouped && c < cols; ++c) row[c] = value_at(matrix.format, tile, r, c);
    for (int c = 0; grouped && c < cols; c += simd::kGroup) {
      const GroupCodes codes = read_group(matrix.format, tile, r, c / simd::kGroup);
      unpack_group(matrix, codes, std::min(simd::kGroup, cols - c), row + c);
    }
  }
}

}  // namespace leyden::quant
