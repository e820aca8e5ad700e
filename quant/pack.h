#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quant/levels.h"
#include "quant/weight_format.h"

namespace leyden::quant {

/// Weights of 1 to 16 consecutive rows, f32 row-major, and how to round them.
struct TileRows {
  const float* weight = nullptr;  // [n_rows, cols], rows row_stride floats apart
  std::ptrdiff_t row_stride = 0;
  int n_rows = 0;
  int cols = 0;
  const Levels* levels = nullptr;     // int4 only
  const float* importance = nullptr;  // [cols], each > 0, or null: all alike. int4 only: the
                                      // squared error of column k counts importance[k] times
};

/// The largest weight that int4 takes, so that a table with a short arm has a scale for it too.
constexpr float kLargestInt4 = 65504.0f;

enum class PackStatus {
  kOk,
  kNotFinite,  // a weight is infinite or NaN
  kTooLarge,   // a weight is beyond what the format's fp16 scale (or bf16) can express
};

/// "a weight is not finite", ...: to follow a tensor's name in a message.
std::string_view describe(PackStatus status);

/// Packs rows into one tile of ceil(cols / 128) blocks; missing rows and columns become zeros.
/// The numbers are those of simd/pack.h: f32 and bf16 values, int8 codes by rounding, int4 codes by
/// a search for the least squared error. Errors: as returned; the tile's bytes are then
/// unspecified.
PackStatus pack_tile(WeightFormat format, const TileRows& rows, std::byte* tile) noexcept;

/// A packed tile that somebody else owns.
struct TileView {
  WeightFormat format = WeightFormat::kF32;
  int n_rows = 0;  // 1 ... 16
  int cols = 0;
  const std::byte* data = nullptr;
  const std::uint8_t* levels = nullptr;  // int4 only
};

/// The exact meaning of a tile: n_rows rows of `cols` weights, row_stride floats apart.
void unpack_tile(const TileView& tile, float* rows, std::ptrdiff_t row_stride) noexcept;

/// The exact meaning of tile i of a matrix: min(16, rows - 16 i) rows of `cols` weights each,
/// row_stride floats apart. Products scale * level and scale * integer are exact in binary32.
void unpack_tile(const MatrixView& matrix, std::int64_t i, float* rows,
                 std::ptrdiff_t row_stride) noexcept;

}  // namespace leyden::quant
