#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/tensor_spec.h"
#include "src/model/placed_matrix.h"
#include "src/model/placement.h"

namespace leyden::model {

/// A tensor in memory, 64-byte aligned, perhaps in parts on several nodes.
struct PlacedTensor {
  quant::TensorSpec spec;
  std::vector<MatrixPart> parts;         // of tiles: those of every matrix, as many for each
  const std::byte* rows_data = nullptr;  // of plain rows
  int rows_node = 0;

  PlacedStack stack() const { return {spec.count, spec.format, spec.rows, spec.cols, parts}; }
};

/// A tensor in one piece, spec.bytes() long.
PlacedTensor tensor_at(const quant::TensorSpec& spec, const std::byte* data);

/// A tensor at its places in the nodes' arenas.
PlacedTensor tensor_at(const quant::TensorSpec& spec, const TensorPlace& place,
                       std::span<std::byte* const> arenas);

/// Bytes [from, from + bytes) of a tensor as containers store it (quant/tensor_spec.h), and where
/// they go.
struct Segment {
  std::uint64_t from = 0, bytes = 0;
  std::byte* to = nullptr;
  int node = 0;
};

/// All of a tensor that is about to be filled, ascending; together they cover it, the levels of an
/// int4 matrix once for each of its parts. One segment if the tensor lies in one piece.
std::vector<Segment> segments(const PlacedTensor& tensor);

}  // namespace leyden::model
