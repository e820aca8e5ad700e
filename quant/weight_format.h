#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "simd/layout.h"

namespace leyden::quant {

/// How the weights of a packed matrix are stored (simd/layout.h has the bytes).
enum class WeightFormat : std::uint8_t {
  kF32,   // the reference
  kBf16,  // 16 bits
  kInt8,  // integers in [-127, 127] times an fp16 scale per row and 32 columns
  kInt4,  // one of 16 levels of the matrix times such a scale
};

/// "f32", "bf16", "int8" or "int4": the values of --weights.
std::string_view name(WeightFormat format);

/// The format of that name, or nothing.
std::optional<WeightFormat> weight_format_named(std::string_view name);

/// Bits one weight takes, scales included, padding and level tables not: 32, 16, 8.5, 4.5.
double bits_per_weight(WeightFormat format);

/// Bytes of one block (16 rows x 128 columns) in a format.
std::size_t block_bytes(WeightFormat format);

/// Bytes before the first tile: int4 keeps its 16 levels in a 64-byte line, the others nothing.
std::size_t prefix_bytes(WeightFormat format);

/// Bytes of one packed matrix: the prefix, then ceil(rows / 16) tiles of ceil(cols / 128) blocks.
/// Rows and columns beyond the matrix are zero weights. A multiple of 64.
/// Errors: std::length_error when rows or cols is not in 1 ... 2^31 - 1 or the size exceeds 2^62.
std::size_t matrix_bytes(WeightFormat format, std::int64_t rows, std::int64_t cols);

/// Bytes of `count` such matrices, one after the other. Errors: as matrix_bytes.
std::size_t stack_bytes(WeightFormat format, std::int64_t count, std::int64_t rows,
                        std::int64_t cols);

/// Bytes of a matrix in plain row-major order (embeddings, norms), rounded up to 64. Only kF32 and
/// kBf16 exist in this layout. Errors: as matrix_bytes; std::invalid_argument for another format.
std::size_t rows_bytes(WeightFormat format, std::int64_t rows, std::int64_t cols);

/// A packed matrix [rows, cols] that somebody else owns; data is 64-byte aligned and
/// matrix_bytes(format, rows, cols) long.
struct MatrixView {
  WeightFormat format = WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  const std::byte* data = nullptr;

  std::int64_t n_tiles() const { return (rows + simd::kTileRows - 1) / simd::kTileRows; }
  int n_blocks() const { return static_cast<int>((cols + simd::kBlock - 1) / simd::kBlock); }
  std::size_t tile_bytes() const {
    return static_cast<std::size_t>(n_blocks()) * block_bytes(format);
  }
  /// Tile i holds rows 16 i ... 16 i + 15.
  const std::byte* tile(std::int64_t i) const {
    return data + prefix_bytes(format) + static_cast<std::size_t>(i) * tile_bytes();
  }
  /// The 16 levels of an int4 matrix (value + 64 each), null for the other formats.
  const std::uint8_t* levels() const {
    return format == WeightFormat::kInt4 ? reinterpret_cast<const std::uint8_t*>(data) : nullptr;
  }
};

/// `count` matrices of one shape, such as the experts of a layer or the heads of a projection, each
/// matrix_bytes(format, rows, cols) after the one before; every int4 one has its own levels.
struct MatrixStack {
  std::int64_t count = 0;
  MatrixView first;
  std::size_t stride_bytes = 0;

  MatrixView operator[](std::int64_t i) const {
    MatrixView matrix = first;
    matrix.data += static_cast<std::size_t>(i) * stride_bytes;
    return matrix;
  }
};

/// The stack that starts at data. Errors: as stack_bytes.
MatrixStack matrix_stack(WeightFormat format, std::int64_t count, std::int64_t rows,
                         std::int64_t cols, const std::byte* data);

/// A row-major matrix [rows, cols] of kF32 or kBf16 that somebody else owns.
struct RowsView {
  WeightFormat format = WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  const std::byte* data = nullptr;

  const std::byte* row(std::int64_t i) const {
    return data + static_cast<std::size_t>(i * cols) * (format == WeightFormat::kBf16 ? 2 : 4);
  }
};

}  // namespace leyden::quant
