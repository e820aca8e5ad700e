#include "src/model/tensor_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "formats/load_error.h"
#include "quant/level_fit.h"
#include "quant/number.h"

namespace leyden::model {
namespace {

using quant::WeightFormat;

/// Rows of a piece: a multiple of the 16 rows of a tile and of the 128 of an FP8 scale block.
constexpr std::int64_t kPieceRows = 128;

std::size_t tile_bytes(const quant::TensorSpec& spec) {
  return quant::MatrixView{spec.format, spec.rows, spec.cols, nullptr}.tile_bytes();
}

}  // namespace

TensorBuilder::TensorBuilder(const formats::Checkpoint& checkpoint, const PlannedTensor& planned,
                             WeightFormat format, std::vector<float> importance)
    : source_(checkpoint, planned),
      spec_{planned.name, planned.layout, format, planned.count, planned.rows, planned.cols},
      importance_(std::move(importance)),
      checkpoint_(checkpoint) {
  // A transposed matrix needs all its source rows at once; those are small (one attention head).
  rows_per_piece_ = planned.source.transposed ? planned.rows : std::min(kPieceRows, planned.rows);
  n_matrices_ = static_cast<int>(planned.count);
  pieces_per_matrix_ = static_cast<int>((planned.rows + rows_per_piece_ - 1) / rows_per_piece_);
  repacks_ = source_.same_groups(format).has_value();
  if (format != WeightFormat::kInt4) return;
  learned_ = std::make_unique<LearnedLevels[]>(static_cast<std::size_t>(planned.count));
}

TensorBuilder::Rows TensorBuilder::rows_of(int piece) const {
  const std::int64_t first = piece % pieces_per_matrix_ * rows_per_piece_;
  return {piece / pieces_per_matrix_, first, std::min(rows_per_piece_, spec_.rows - first)};
}

SourceRows::Place TensorBuilder::place(int piece) const {
  const Rows rows = rows_of(piece);
  return source_.place(rows.matrix, rows.first);
}

TensorBuilder::Range TensorBuilder::range(int piece) const {
  const auto [matrix, first, n] = rows_of(piece);
  if (spec_.layout == quant::Layout::kRows) {
    const std::size_t width = spec_.format == WeightFormat::kBf16 ? 2 : 4;
    const auto row_bytes = static_cast<std::size_t>(spec_.cols) * width;
    const std::size_t begin = static_cast<std::size_t>(first) * row_bytes;
    // The last piece also covers the padding behind the tensor.
    const bool last = first + n == spec_.rows;
    const std::size_t end = last ? spec_.bytes() : static_cast<std::size_t>(first + n) * row_bytes;
    return {begin, end - begin};
  }
  const std::size_t matrix_bytes = quant::matrix_bytes(spec_.format, spec_.rows, spec_.cols);
  const std::size_t prefix = quant::prefix_bytes(spec_.format);
  const auto tiles_before = static_cast<std::size_t>(first / simd::kTileRows);
  const auto n_tiles = static_cast<std::size_t>((n + simd::kTileRows - 1) / simd::kTileRows);
  // A matrix' first piece brings the prefix along.
  const std::size_t begin = first == 0 ? 0 : prefix + tiles_before * tile_bytes(spec_);
  const std::size_t end = prefix + (tiles_before + n_tiles) * tile_bytes(spec_);
  return {static_cast<std::size_t>(matrix) * matrix_bytes + begin, end - begin};
}

int TensorBuilder::matrix_that_learns(int piece) const {
  return learned_ && !repacks_ && piece % pieces_per_matrix_ == 0 ? piece / pieces_per_matrix_ : -1;
}

void TensorBuilder::learn(int matrix) const { levels(matrix); }

void TensorBuilder::build(int piece, std::byte* to) const {
  const Rows rows = rows_of(piece);
  if (spec_.layout == quant::Layout::kRows) {
    std::memset(to, 0, range(piece).bytes);
    build_rows(rows.first, rows.n, to);
    return;
  }
  if (rows.first == 0 && learned_) {
    std::memset(to, 0, quant::prefix_bytes(spec_.format));
    std::memcpy(to, levels(rows.matrix).data(), sizeof(quant::Levels));
    to += quant::prefix_bytes(spec_.format);
  }
  repacks_ ? repack_tiles(rows, to) : build_tiles(rows, to);
}

void TensorBuilder::build_rows(std::int64_t first, std::int64_t n, std::byte* to) const {
  const formats::CheckpointTensor& source = source_.tensor(0);
  const auto count = static_cast<std::size_t>(n * spec_.cols);
  if (spec_.format == WeightFormat::kF32) {
    auto* const values = reinterpret_cast<float*>(to);
    checkpoint_.read_rows_f32(source, first, first + n, values);
    formats::refuse_non_finite(source, first, {values, count});
    return;
  }
  const std::vector<float> values = source_.read(0, first, n);
  formats::refuse_non_finite(source, first, values);
  quant::f32_to_bf16(values, reinterpret_cast<std::uint16_t*>(to));
}

const float* TensorBuilder::importance(std::int64_t matrix) const {
  if (importance_.empty()) return nullptr;
  const bool is_per_matrix = importance_.size() > static_cast<std::size_t>(spec_.cols);
  return importance_.data() + (is_per_matrix ? matrix * spec_.cols : 0);
}

const quant::Levels& TensorBuilder::levels(std::int64_t matrix) const {
  LearnedLevels& learned = learned_[static_cast<std::size_t>(matrix)];
  std::call_once(learned.once, [&] { learned.levels = learn_levels(matrix); });
  return learned.levels;
}

quant::Levels TensorBuilder::learn_levels(std::int64_t matrix) const {
  if (repacks_) return quant::kEvenLevels;
  const std::int64_t width = spec_.cols;
  const quant::LevelSample wanted = quant::level_sample(spec_.rows, width);
  const bool reads_whole = source_.reads_whole(matrix);
  std::vector<float> sample, whole;
  if (reads_whole) whole = source_.read(matrix, 0, spec_.rows);
  for (const std::int64_t row : wanted.rows) {
    const std::vector<float> one =
        reads_whole ? std::vector<float>() : source_.read(matrix, row, 1);
    const float* const from = reads_whole ? whole.data() + row * width : one.data();
    sample.insert(sample.end(), from, from + width);
  }
  const quant::SampleRows rows = {.weight = sample.data(),
                                  .row_stride = width,
                                  .n_rows = static_cast<int>(wanted.rows.size()),
                                  .cols = static_cast<int>(width),
                                  .importance = importance(matrix)};
  return quant::learn_levels(rows, quant::kGaussianLevels, wanted.rounds);
}

void TensorBuilder::build_tiles(const Rows& rows, std::byte* to) const {
  // A tile's rows at a time, which stay in the cache between decoding and packing.
  const std::int64_t at_once =
      source_.reads_whole(rows.matrix) ? rows.n : std::min<std::int64_t>(simd::kTileRows, rows.n);
  const auto weights =
      std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(at_once * spec_.cols));
  quant::TileRows tile;
  tile.row_stride = spec_.cols;
  tile.cols = static_cast<int>(spec_.cols);
  tile.importance = importance(rows.matrix);
  if (learned_) tile.levels = &levels(rows.matrix);
  for (std::int64_t r = 0; r < rows.n; r += simd::kTileRows, to += tile_bytes(spec_)) {
    if (r % at_once == 0) {
      source_.read(rows.matrix, rows.first + r, std::min(at_once, rows.n - r), weights.get());
    }
    tile.weight = weights.get() + r % at_once * spec_.cols;
    tile.n_rows = static_cast<int>(std::min<std::int64_t>(simd::kTileRows, rows.n - r));
    const quant::PackStatus status = quant::pack_tile(spec_.format, tile, to);
    if (status != quant::PackStatus::kOk) {
      refuse(rows.matrix, rows.first + r, tile.n_rows, status);
    }
  }
}

/// Takes groups over as they are.
void TensorBuilder::repack_tiles(const Rows& rows, std::byte* to) const {
  const auto groups = source_.read_groups(spec_.format, rows.matrix, rows.first, rows.n);
  // Groups that can't be taken over are rounded anew, and no others.
  const bool fits = std::all_of(groups.begin(), groups.end(), [](const auto& g) { return !!g; });
  if (!fits) build_tiles(rows, to);
  // Rows and columns beyond the matrix are groups of zeros.
  std::optional<quant::GroupCodes> zeros(std::in_place);
  zeros->code.fill(spec_.format == WeightFormat::kInt8 ? simd::kInt8Offset : 8);
  const auto n_groups = static_cast<int>(spec_.cols / simd::kGroup);
  const int all_groups =
      static_cast<int>((spec_.cols + simd::kBlock - 1) / simd::kBlock) * simd::kGroupsPerBlock;
  auto next = groups.begin();
  for (std::int64_t r = 0; r < rows.n; r += simd::kTileRows, to += tile_bytes(spec_)) {
    for (int lane = 0; lane < simd::kTileRows; ++lane) {
      const bool is_row = r + lane < rows.n;
      for (int group = 0; group < all_groups; ++group) {
        const bool is_there = is_row && group < n_groups;
        const auto& codes = is_there ? *next++ : zeros;
        if (codes) quant::write_group(spec_.format, *codes, lane, group, to);
      }
    }
  }
}

quant::ErrorMeter TensorBuilder::measure(int piece, const std::byte* built) const {
  quant::ErrorMeter meter;
  if (spec_.layout == quant::Layout::kRows) return meter;
  const Rows rows = rows_of(piece);
  const std::vector<float> weights = source_.read(rows.matrix, rows.first, rows.n);
  std::vector<float> rounded(static_cast<std::size_t>(simd::kTileRows * spec_.cols));
  if (rows.first == 0) built += quant::prefix_bytes(spec_.format);
  for (std::int64_t r = 0; r < rows.n; r += simd::kTileRows, built += tile_bytes(spec_)) {
    const int n = static_cast<int>(std::min<std::int64_t>(simd::kTileRows, rows.n - r));
    const quant::TileView tile = {spec_.format, n, static_cast<int>(spec_.cols), built,
                                  learned_ ? levels(rows.matrix).data() : nullptr};
    quant::unpack_tile(tile, rounded.data(), spec_.cols);
    meter.add(weights.data() + r * spec_.cols, rounded.data(), n, static_cast<int>(spec_.cols),
              spec_.cols);
  }
  return meter;
}

void TensorBuilder::refuse(std::int64_t matrix, std::int64_t first_row, std::int64_t n,
                           quant::PackStatus status) const {
  const formats::CheckpointTensor& source = source_.tensor(matrix);
  const std::int64_t row = source_.place(matrix, first_row).row;
  throw formats::LoadError(
      source.file,
      fmt::format("tensor '{}' at byte {}, rows {} to {}: {} (packing as {})", source.name,
                  source.offset, row, row + n - 1, quant::describe(status), name(spec_.format)));
}

}  // namespace leyden::model
