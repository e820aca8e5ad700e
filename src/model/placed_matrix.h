#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "quant/weight_format.h"

namespace leyden::model {

/// Rows of a packed matrix that lie on one NUMA node; a packed matrix of their own.
struct MatrixPart {
  int node = 0;                // index into the crew's nodes
  std::int64_t first_row = 0;  // a multiple of 16
  quant::MatrixView rows;
};

/// A packed matrix [rows, cols] whose rows are divided among NUMA nodes: parts, ascending and
/// without gaps, that somebody else owns.
struct PlacedMatrix {
  quant::WeightFormat format = quant::WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  std::span<const MatrixPart> parts;
  /// bf16 weights that multiply floats, because what they compute is compared and chooses: a
  /// router's. Other bf16 weights multiply bf16.
  bool chooses = false;

  const MatrixPart& part_of(std::int64_t row) const {
    std::size_t i = 0;
    while (i + 1 < parts.size() && parts[i + 1].first_row <= row) ++i;
    return parts[i];
  }
  int node_of(std::int64_t row) const { return part_of(row).node; }
  std::int64_t n_tiles() const { return (rows + simd::kTileRows - 1) / simd::kTileRows; }
  /// Tile i holds rows 16 i ... 16 i + 15.
  const std::byte* tile(std::int64_t i) const {
    const MatrixPart& part = part_of(i * simd::kTileRows);
    return part.rows.tile(i - part.first_row / simd::kTileRows);
  }
};

/// `count` such matrices, each with as many parts as the others.
struct PlacedStack {
  std::int64_t count = 0;
  quant::WeightFormat format = quant::WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  std::span<const MatrixPart> parts;  // of all matrices, one after the other

  PlacedMatrix operator[](std::int64_t i) const {
    const std::size_t each = parts.size() / static_cast<std::size_t>(count);
    return {format, rows, cols, parts.subspan(static_cast<std::size_t>(i) * each, each),
            /*chooses=*/false};
  }
};

}  // namespace leyden::model
