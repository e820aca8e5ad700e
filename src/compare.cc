#include "src/compare.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "quant/number.h"
#include "quant/pack.h"
#include "src/model/load_meter.h"
#include "src/runtime/memory.h"

namespace leyden {
namespace {

using formats::ContainerReader;
using formats::StoredTensor;
using quant::WeightFormat;

/// Rows compared at a time: whole tiles.
constexpr std::int64_t kRows = 128;

/// Some rows of a tensor: as they lie in the container, and their weights.
struct Rows {
  runtime::Memory stored;
  std::vector<float> weights;
};

/// Rows [first, first + n) of matrix `m` of a tensor; first is a multiple of 16.
Rows read_rows(const ContainerReader& container, const StoredTensor& tensor, std::int64_t m,
               std::int64_t first, std::int64_t n) {
  const quant::TensorSpec& spec = tensor.spec;
  std::vector<float> weights(static_cast<std::size_t>(n * spec.cols));
  if (spec.layout == quant::Layout::kRows) {
    const std::size_t width = spec.format == WeightFormat::kBf16 ? 2 : 4;
    runtime::Memory stored(weights.size() * width);
    container.read(tensor, static_cast<std::uint64_t>(first * spec.cols) * width,
                   {stored.data(), stored.size()});
    if (spec.format == WeightFormat::kF32) {
      std::memcpy(weights.data(), stored.data(), stored.size());
    } else {
      const auto* const codes = reinterpret_cast<const std::uint16_t*>(stored.data());
      quant::bf16_to_f32({codes, weights.size()}, weights.data());
    }
    return {std::move(stored), std::move(weights)};
  }
  // The rows become a matrix of their own.
  const std::size_t prefix = quant::prefix_bytes(spec.format);
  const std::uint64_t matrix =
      static_cast<std::uint64_t>(m) * quant::matrix_bytes(spec.format, spec.rows, spec.cols);
  runtime::Memory stored(quant::matrix_bytes(spec.format, n, spec.cols));
  const quant::MatrixView rows{spec.format, n, spec.cols, stored.data()};
  if (prefix > 0) container.read(tensor, matrix, {stored.data(), prefix});
  container.read(
      tensor,
      matrix + prefix + static_cast<std::size_t>(first / simd::kTileRows) * rows.tile_bytes(),
      {stored.data() + prefix, stored.size() - prefix});
  for (std::int64_t i = 0; i < rows.n_tiles(); ++i) {
    quant::unpack_tile(rows, i, weights.data() + i * simd::kTileRows * spec.cols, spec.cols);
  }
  return {std::move(stored), std::move(weights)};
}

bool have_same_bytes(const Rows& a, const Rows& b) {
  return a.stored.size() == b.stored.size() &&
         std::memcmp(a.stored.data(), b.stored.data(), a.stored.size()) == 0;
}

/// Two tensors of one name and shape.
struct Pair {
  const StoredTensor* first;
  const StoredTensor* second;
};

/// Some rows of a pair.
struct Piece {
  std::size_t pair;
  std::int64_t matrix, row, n_rows;
};

bool have_one_shape(const quant::TensorSpec& a, const quant::TensorSpec& b) {
  return a.layout == b.layout && a.count == b.count && a.rows == b.rows && a.cols == b.cols;
}

}  // namespace

ContainerDifference compare(const ContainerReader& first, const ContainerReader& second,
                            runtime::ThreadTeam& team,
                            const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  ContainerDifference difference;
  std::vector<Pair> pairs;
  std::vector<Piece> pieces;
  std::uint64_t total_rows = 0;
  for (const StoredTensor& tensor : second.all_tensors()) {
    if (first.find(tensor.spec.name) == nullptr) {
      difference.only_second.push_back(tensor.spec.name);
    }
  }
  for (const StoredTensor& tensor : first.all_tensors()) {
    const quant::TensorSpec& spec = tensor.spec;
    const StoredTensor* const other = second.find(spec.name);
    if (other == nullptr) {
      difference.only_first.push_back(spec.name);
    } else if (!have_one_shape(spec, other->spec)) {
      difference.other_shape.push_back(spec.name);
    } else {
      for (std::int64_t m = 0; m < spec.count; ++m) {
        for (std::int64_t row = 0; row < spec.rows; row += kRows) {
          pieces.push_back({pairs.size(), m, row, std::min(kRows, spec.rows - row)});
        }
      }
      pairs.push_back({&tensor, other});
      total_rows += tensor.bytes;
    }
  }
  std::vector<quant::ErrorMeter> meters(pieces.size());
  std::vector<std::atomic<bool>> differs(pairs.size());
  model::LoadMeter meter(total_rows, progress);
  team.run(static_cast<int>(pieces.size()), [&](int i, int) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    const auto& [a, b] = pairs[piece.pair];
    const auto share = static_cast<std::uint64_t>(piece.n_rows) * a->bytes /
                       static_cast<std::uint64_t>(a->spec.count * a->spec.rows);
    meter.attempt(share, [&] {
      const Rows original = read_rows(first, *a, piece.matrix, piece.row, piece.n_rows);
      const Rows other = read_rows(second, *b, piece.matrix, piece.row, piece.n_rows);
      if (!have_same_bytes(original, other)) differs[piece.pair] = true;
      meters[static_cast<std::size_t>(i)].add(original.weights.data(), other.weights.data(),
                                              static_cast<int>(piece.n_rows),
                                              static_cast<int>(a->spec.cols), a->spec.cols);
    });
  });
  // Sums are rounded: pieces are added in their order, whoever did them.
  std::vector<quant::ErrorMeter> by_pair(pairs.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) by_pair[pieces[i].pair].merge(meters[i]);
  quant::ErrorMeter total;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& [a, b] = pairs[i];
    const bool identical = a->spec.format == b->spec.format && !differs[i];
    if (a->spec.format == b->spec.format && identical != (a->checksum == b->checksum)) {
      first.verify(*a);  // the bytes contradict the checksums
      second.verify(*b);
    }
    difference.tensors.push_back(
        {a->spec.name, a->spec.format, b->spec.format, identical, by_pair[i].figures()});
    total.merge(by_pair[i]);
  }
  difference.total = total.figures();
  return difference;
}

}  // namespace leyden
