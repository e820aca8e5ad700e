#include "src/model/tensor_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "formats/load_error.h"
#include "quant/level_fit.h"
#include "quant/number.h"
#include "quant/pack.h"

namespace leyden::model {
namespace {

/// Rows of a piece: a multiple of the 16 rows of a tile and of the 128 of an FP8 scale block.
constexpr std::int64_t kPieceRows = 128;

}  // namespace

TensorBuilder::TensorBuilder(const formats::Checkpoint& checkpoint, const PlannedTensor& planned,
                             quant::WeightFormat format)
    : checkpoint_(checkpoint), planned_(planned), spec_{planned.name, planned.layout,
                                                        format,       planned.count,
                                                        planned.rows, planned.cols} {
  const std::int64_t n_sources =
      planned.source.name_of(0) == planned.source.name ? 1 : planned.count;
  for (std::int64_t i = 0; i < n_sources; ++i) {
    checkpoint.require(planned.source.name_of(i), planned.source.rows, planned.source.cols,
                       "the model's config");
  }
  // A transposed matrix needs all its source rows at once; those are small (one attention head).
  rows_per_piece_ = planned.source.transposed ? planned.rows : std::min(kPieceRows, planned.rows);
  n_matrices_ = static_cast<int>(planned.count);
  pieces_per_matrix_ = static_cast<int>((planned.rows + rows_per_piece_ - 1) / rows_per_piece_);
  if (format == quant::WeightFormat::kInt4) {
    learned_ = std::make_unique<LearnedLevels[]>(static_cast<std::size_t>(planned.count));
  }
}

TensorBuilder::Range TensorBuilder::range(int piece) const {
  const std::int64_t matrix = piece / pieces_per_matrix_;
  const std::int64_t first = piece % pieces_per_matrix_ * rows_per_piece_;
  const std::int64_t n = std::min(rows_per_piece_, spec_.rows - first);
  if (spec_.layout == quant::Layout::kRows) {
    const std::size_t width = spec_.format == quant::WeightFormat::kBf16 ? 2 : 4;
    const auto row_bytes = static_cast<std::size_t>(spec_.cols) * width;
    const std::size_t begin = static_cast<std::size_t>(first) * row_bytes;
    // The last piece also covers the padding behind the tensor.
    const bool last = first + n == spec_.rows;
    const std::size_t end = last ? spec_.bytes() : static_cast<std::size_t>(first + n) * row_bytes;
    return {begin, end - begin};
  }
  const std::size_t matrix_bytes = quant::matrix_bytes(spec_.format, spec_.rows, spec_.cols);
  const std::size_t tile_bytes =
      quant::MatrixView{spec_.format, spec_.rows, spec_.cols, nullptr}.tile_bytes();
  const std::size_t prefix = quant::prefix_bytes(spec_.format);
  const auto tiles_before = static_cast<std::size_t>(first / simd::kTileRows);
  const auto n_tiles = static_cast<std::size_t>((n + simd::kTileRows - 1) / simd::kTileRows);
  // A matrix' first piece brings the prefix along.
  const std::size_t begin = first == 0 ? 0 : prefix + tiles_before * tile_bytes;
  const std::size_t end = prefix + (tiles_before + n_tiles) * tile_bytes;
  return {static_cast<std::size_t>(matrix) * matrix_bytes + begin, end - begin};
}

void TensorBuilder::build(int piece, std::byte* to) const {
  const std::int64_t matrix = piece / pieces_per_matrix_;
  const std::int64_t first = piece % pieces_per_matrix_ * rows_per_piece_;
  const std::int64_t n = std::min(rows_per_piece_, spec_.rows - first);
  if (spec_.layout == quant::Layout::kRows) {
    std::memset(to, 0, range(piece).bytes);
    build_rows(first, n, to);
    return;
  }
  if (first == 0 && spec_.format == quant::WeightFormat::kInt4) {
    std::memset(to, 0, quant::prefix_bytes(spec_.format));
    std::memcpy(to, levels(matrix).data(), sizeof(quant::Levels));
    to += quant::prefix_bytes(spec_.format);
  }
  build_tiles(matrix, first, n, to);
}

void TensorBuilder::build_rows(std::int64_t first, std::int64_t n, std::byte* to) const {
  const formats::CheckpointTensor& source = *checkpoint_.find(planned_.source.name);
  const auto count = static_cast<std::size_t>(n * spec_.cols);
  if (spec_.format == quant::WeightFormat::kF32) {
    auto* const values = reinterpret_cast<float*>(to);
    checkpoint_.read_rows_f32(source, first, first + n, values);
    formats::refuse_non_finite(source, first, {values, count});
    return;
  }
  std::vector<float> values(count);
  checkpoint_.read_rows_f32(source, first, first + n, values.data());
  formats::refuse_non_finite(source, first, values);
  quant::f32_to_bf16(values, reinterpret_cast<std::uint16_t*>(to));
}

std::vector<float> TensorBuilder::read_rows(std::int64_t matrix, std::int64_t first_row,
                                            std::int64_t n) const {
  const TensorSource& from = planned_.source;
  const formats::CheckpointTensor& source = *checkpoint_.find(from.name_of(matrix));
  const std::int64_t source_row = from.first_row + matrix * from.row_step;
  std::vector<float> rows(static_cast<std::size_t>(n * spec_.cols));
  if (!from.transposed) {
    const std::int64_t begin = source_row + first_row;
    checkpoint_.read_rows_f32(source, begin, begin + n, rows.data());
    return rows;
  }
  std::vector<float> original(rows.size());  // [cols, rows]
  checkpoint_.read_rows_f32(source, source_row, source_row + spec_.cols, original.data());
  for (std::int64_t r = 0; r < spec_.rows; ++r) {
    for (std::int64_t c = 0; c < spec_.cols; ++c) {
      rows[static_cast<std::size_t>(r * spec_.cols + c)] =
          original[static_cast<std::size_t>(c * spec_.rows + r)];
    }
  }
  return rows;
}

const quant::Levels& TensorBuilder::levels(std::int64_t matrix) const {
  LearnedLevels& learned = learned_[static_cast<std::size_t>(matrix)];
  std::call_once(learned.once, [&] { learned.levels = learn_levels(matrix); });
  return learned.levels;
}

quant::Levels TensorBuilder::learn_levels(std::int64_t matrix) const {
  const auto width = static_cast<std::ptrdiff_t>(spec_.cols);
  const std::vector<std::int64_t> wanted = quant::sample_rows(spec_.rows, spec_.cols);
  std::vector<float> sample(wanted.size() * static_cast<std::size_t>(width)), whole;
  if (planned_.source.transposed) whole = read_rows(matrix, 0, spec_.rows);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::vector<float> row =
        whole.empty() ? read_rows(matrix, wanted[i], 1) : std::vector<float>();
    const float* const from = whole.empty() ? row.data() : whole.data() + wanted[i] * width;
    std::copy_n(from, width, sample.data() + static_cast<std::ptrdiff_t>(i) * width);
  }
  return quant::learn_levels({.weight = sample.data(),
                              .row_stride = width,
                              .n_rows = static_cast<int>(wanted.size()),
                              .cols = static_cast<int>(width)});
}

void TensorBuilder::build_tiles(std::int64_t matrix, std::int64_t first_row, std::int64_t n,
                                std::byte* to) const {
  const std::vector<float> rows = read_rows(matrix, first_row, n);
  quant::TileRows tile;
  tile.row_stride = spec_.cols;
  tile.cols = static_cast<int>(spec_.cols);
  if (learned_) tile.levels = &levels(matrix);
  const std::size_t tile_bytes =
      quant::MatrixView{spec_.format, spec_.rows, spec_.cols, nullptr}.tile_bytes();
  for (std::int64_t r = 0; r < n; r += simd::kTileRows, to += tile_bytes) {
    tile.weight = rows.data() + r * spec_.cols;
    tile.n_rows = static_cast<int>(std::min<std::int64_t>(simd::kTileRows, n - r));
    const quant::PackStatus status = quant::pack_tile(spec_.format, tile, to);
    if (status == quant::PackStatus::kOk) continue;
    const TensorSource& from = planned_.source;
    const formats::CheckpointTensor& source = *checkpoint_.find(from.name_of(matrix));
    const std::int64_t source_row = from.first_row + matrix * from.row_step;
    throw formats::LoadError(
        source.file, fmt::format("tensor '{}' at byte {}, rows {} to {}: {} (packing as {})",
                                 source.name, source.offset, source_row + first_row + r,
                                 source_row + first_row + r + tile.n_rows - 1,
                                 quant::describe(status), name(spec_.format)));
  }
}

}  // namespace leyden::model
