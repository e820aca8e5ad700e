#include "src/model/placed_tensor.h"

#include <algorithm>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

std::size_t part_bytes(const MatrixPart& part) {
  return quant::prefix_bytes(part.rows.format) +
         index(part.rows.n_tiles()) * part.rows.tile_bytes();
}

/// Appends a segment, or prolongs the last one.
void append(std::vector<Segment>& to, const Segment& next) {
  if (next.bytes == 0) return;
  if (!to.empty() && to.back().node == next.node && to.back().from + to.back().bytes == next.from &&
      to.back().to + to.back().bytes == next.to) {
    to.back().bytes += next.bytes;
  } else {
    to.push_back(next);
  }
}

}  // namespace

PlacedTensor tensor_at(const quant::TensorSpec& spec, const std::byte* data) {
  TensorPlace place;
  place.node_of.assign(index(spec.count), 0);
  place.offset = {0};
  std::byte* const arena = const_cast<std::byte*>(data);
  return tensor_at(spec, place, {&arena, 1});
}

PlacedTensor tensor_at(const quant::TensorSpec& spec, const TensorPlace& place,
                       std::span<std::byte* const> arenas) {
  PlacedTensor tensor;
  tensor.spec = spec;
  std::vector<const std::byte*> next;
  for (std::size_t k = 0; k < arenas.size(); ++k) {
    next.push_back(arenas[k] == nullptr ? nullptr : arenas[k] + place.offset[k]);
  }
  const auto add = [&](int node, std::int64_t first_row, std::int64_t rows) {
    if (rows == 0) return;
    const std::byte*& data = next[index(node)];
    tensor.parts.push_back({node, first_row, {spec.format, rows, spec.cols, data}});
    if (data != nullptr) data += quant::matrix_bytes(spec.format, rows, spec.cols);
  };
  if (spec.layout == quant::Layout::kRows) {
    tensor.rows_node = place.node_of.front();
    tensor.rows_data = next[index(tensor.rows_node)];
    return tensor;
  }
  for (std::int64_t matrix = 0; matrix < spec.count; ++matrix) {
    if (place.row_begin.empty()) {
      add(place.node_of[index(matrix)], 0, spec.rows);
      continue;
    }
    for (std::size_t k = 0; k < arenas.size(); ++k) {
      add(static_cast<int>(k), place.row_begin[k], place.row_begin[k + 1] - place.row_begin[k]);
    }
  }
  return tensor;
}

std::vector<Segment> segments(const PlacedTensor& tensor) {
  const quant::TensorSpec& spec = tensor.spec;
  if (spec.layout == quant::Layout::kRows) {
    return {{0, spec.bytes(), const_cast<std::byte*>(tensor.rows_data), tensor.rows_node}};
  }
  std::vector<Segment> all;
  const std::uint64_t prefix = quant::prefix_bytes(spec.format);
  const std::uint64_t matrix_bytes = quant::matrix_bytes(spec.format, spec.rows, spec.cols);
  const PlacedStack stack = tensor.stack();
  for (std::int64_t i = 0; i < spec.count; ++i) {
    const std::uint64_t begin = index(i) * matrix_bytes;
    const PlacedMatrix matrix = stack[i];
    if (matrix.parts.size() == 1) {
      const MatrixPart& whole = matrix.parts.front();
      append(all, {begin, matrix_bytes, const_cast<std::byte*>(whole.rows.data), whole.node});
      continue;
    }
    for (const MatrixPart& part : matrix.parts) {
      append(all, {begin, prefix, const_cast<std::byte*>(part.rows.data), part.node});
    }
    for (const MatrixPart& part : matrix.parts) {
      const std::uint64_t tiles_before = index(part.first_row / simd::kTileRows);
      append(all,
             {begin + prefix + tiles_before * part.rows.tile_bytes(), part_bytes(part) - prefix,
              const_cast<std::byte*>(part.rows.tile(0)), part.node});
    }
  }
  return all;
}

}  // namespace leyden::model
