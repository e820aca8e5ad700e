#pragma once

#include <cstdint>

#include "formats/input_file.h"
#include "formats/tensor_type.h"

namespace leyden::formats {

/// A matrix that lies row after row in a file.
struct StoredMatrix {
  const InputFile* file = nullptr;
  std::uint64_t offset = 0;  // of row 0
  TensorType type = TensorType::kF32;
  std::int64_t rows = 0, cols = 0;  // cols is a whole number of blocks of the type

  std::uint64_t row_bytes() const;
  std::uint64_t row_offset(std::int64_t row) const;
};

/// Reads rows [row_begin, row_end) as float32 into `to`, in chunks that stay in cache between
/// reading and decoding. Requires can_decode(matrix.type). Errors: LoadError as InputFile's.
void read_rows_f32(const StoredMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
                   float* to);

/// The same for F8_E4M3 with one F32 factor per 128 x 128 block, cropped at the edges:
///   to[i, j] = e4m3(matrix[i, j]) * scales[i / 128, j / 128]          (NUMERICS 7.2)
/// Shapes: scales [ceil(rows / 128), ceil(cols / 128)].
void read_f8_rows_f32(const StoredMatrix& matrix, const StoredMatrix& scales,
                      std::int64_t row_begin, std::int64_t row_end, float* to);

}  // namespace leyden::formats
