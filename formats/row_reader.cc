#include "formats/row_reader.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "formats/tensor_decode.h"
#include "quant/number.h"

namespace leyden::formats {
namespace {

constexpr std::int64_t kScaleBlock = 128;  // rows and columns that share an FP8 scale
constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 19;

/// Calls use(first_row, n_rows, bytes) for the rows in file order, a chunk at a time.
template <typename Use>
void for_each_chunk(const StoredMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
                    const Use& use) {
  assert(0 <= row_begin && row_end <= matrix.rows);
  const std::uint64_t row_bytes = matrix.row_bytes();
  if (row_begin >= row_end || row_bytes == 0) return;
  const auto chunk_rows = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(kChunkBytes / row_bytes), 1, row_end - row_begin);
  const auto chunk =
      std::make_unique_for_overwrite<std::byte[]>(row_bytes * static_cast<std::size_t>(chunk_rows));
  for (std::int64_t row = row_begin; row < row_end; row += chunk_rows) {
    const std::int64_t n_rows = std::min(chunk_rows, row_end - row);
    const std::span bytes(chunk.get(), row_bytes * static_cast<std::size_t>(n_rows));
    matrix.file->read_exact(matrix.row_offset(row), bytes);
    use(row, n_rows, bytes);
  }
}

}  // namespace

std::uint64_t StoredMatrix::row_bytes() const {
  const TensorTypeInfo& type_info = info(type);
  return static_cast<std::uint64_t>(cols / type_info.block_values * type_info.block_bytes);
}

std::uint64_t StoredMatrix::row_offset(std::int64_t row) const {
  return offset + static_cast<std::uint64_t>(row) * row_bytes();
}

void read_rows_f32(const StoredMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
                   float* to) {
  for_each_chunk(matrix, row_begin, row_end,
                 [&](std::int64_t row, std::int64_t, std::span<const std::byte> bytes) {
                   decode_values(matrix.type, bytes, to + (row - row_begin) * matrix.cols);
                 });
}

void read_f8_rows_f32(const StoredMatrix& matrix, const StoredMatrix& scales,
                      std::int64_t row_begin, std::int64_t row_end, float* to) {
  if (row_begin >= row_end) return;
  const std::int64_t first_scale_row = row_begin / kScaleBlock;
  const std::int64_t end_scale_row = (row_end + kScaleBlock - 1) / kScaleBlock;
  std::vector<float> factors(
      static_cast<std::size_t>((end_scale_row - first_scale_row) * scales.cols));
  read_rows_f32(scales, first_scale_row, end_scale_row, factors.data());
  for_each_chunk(
      matrix, row_begin, row_end,
      [&](std::int64_t first_row, std::int64_t n_rows, std::span<const std::byte> bytes) {
        const auto* codes = reinterpret_cast<const std::uint8_t*>(bytes.data());
        for (std::int64_t row = first_row; row < first_row + n_rows; ++row) {
          const float* factor =
              factors.data() + (row / kScaleBlock - first_scale_row) * scales.cols;
          for (std::int64_t col = 0; col < matrix.cols; col += kScaleBlock) {
            const auto n = static_cast<std::size_t>(std::min(kScaleBlock, matrix.cols - col));
            quant::e4m3_to_f32({codes + (row - first_row) * matrix.cols + col, n}, *factor++,
                               to + (row - row_begin) * matrix.cols + col);
          }
        }
      });
}

}  // namespace leyden::formats
