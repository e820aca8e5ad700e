#include "quant/level_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "quant/number.h"
#include "quant/pack.h"
#include "simd/kernels.h"

namespace leyden::quant {
namespace {

using simd::kBlock;
using simd::kGroup;
using simd::kInt4Levels;
using simd::kTileRows;

/// A level table of real numbers.
using RealLevels = std::array<double, kInt4Levels>;

/// 16 rows x 128 columns of the sample, turned as the packing kernel wants them.
struct SampleBlock {
  alignas(simd::kLine) float columns[kBlock * kTileRows];
  int n_rows, n_cols;
  const float* importance;  // [n_cols] or null
};

/// Nothing when a weight can't be packed: packing will say so.
std::vector<SampleBlock> cut(const SampleRows& rows) {
  std::vector<SampleBlock> blocks;
  for (int r = 0; r < rows.n_rows; r += kTileRows) {
    for (int c = 0; c < rows.cols; c += kBlock) {
      SampleBlock& block = blocks.emplace_back();
      block.n_rows = std::min(kTileRows, rows.n_rows - r);
      block.n_cols = std::min(kBlock, rows.cols - c);
      block.importance = rows.importance == nullptr ? nullptr : rows.importance + c;
      const float largest =
          simd::kernels().pack_columns(rows.weight + r * rows.row_stride + c, rows.row_stride,
                                       block.n_rows, block.n_cols, block.columns);
      if (!(largest <= kLargestInt4)) return {};
    }
  }
  return blocks;
}

/// Per level: sum(i s w) and sum(i s^2) over the weights that took it. In several strands, because
/// an addition waits for the one before it to the same number, and few levels take most weights.
struct Sums {
  static constexpr std::size_t kStrands = 4;
  std::array<std::array<double, kInt4Levels>, kStrands> sw = {}, ss = {};

  static std::array<double, kInt4Levels> total(
      const std::array<std::array<double, kInt4Levels>, kStrands>& strands) {
    std::array<double, kInt4Levels> sum = {};
    for (const auto& strand : strands) {
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += strand[j];
    }
    return sum;
  }
};

/// One group of a block: bytes as simd/layout.h has them.
void add_group(const SampleBlock& block, const std::uint8_t* packed, int group, Sums& sums) {
  double scale[kTileRows];
  for (int row = 0; row < kTileRows; ++row) {
    std::uint16_t code;
    std::memcpy(&code, packed + (group * kTileRows + row) * 2, sizeof code);
    scale[row] = row < block.n_rows ? fp16_to_f32(code) : 0;
  }
  const std::uint8_t* const bytes = packed + simd::kBlockScaleBytes;
  const int end = std::min(block.n_cols, (group + 1) * kGroup);
  for (int column = group * kGroup; column < end; ++column) {
    const std::uint8_t* const quads = bytes + column / 8 * kTileRows * 4 + column % 4;
    const int shift = column % 8 < 4 ? 0 : 4;
    const float* const weight = block.columns + column * kTileRows;
    const double importance = block.importance == nullptr ? 1 : block.importance[column];
    for (std::size_t row = 0; row < kTileRows; ++row) {
      const std::size_t code = quads[row * 4] >> shift & 15;
      const double is = importance * scale[row];
      sums.sw[row % Sums::kStrands][code] += is * weight[row];
      sums.ss[row % Sums::kStrands][code] += is * scale[row];
    }
  }
}

Sums pack_sample(const std::vector<SampleBlock>& blocks, const RealLevels& levels) {
  alignas(simd::kLine) std::byte packed[simd::kBlockBytesInt4];
  const simd::Int4Levels form = search_form(levels);
  Sums sums;
  for (const SampleBlock& block : blocks) {
    simd::kernels().pack_int4(block.columns, block.n_cols, form, block.importance, packed);
    for (int group = 0; group * kGroup < block.n_cols; ++group) {
      add_group(block, reinterpret_cast<const std::uint8_t*>(packed), group, sums);
    }
  }
  return sums;
}

double longer_arm(const RealLevels& levels) { return std::max(-levels.front(), levels.back()); }

/// Integers in -63 ... 63: the table is scaled by whatever factor lets rounding cost least, each
/// level counting as much as the squared scales of its weights.
Levels round_levels(const RealLevels& levels, const std::array<double, kInt4Levels>& weight) {
  constexpr double kLongest = 63.0, kShortest = 48.0, kStep = 0.05;
  double best_cost = 0, best_factor = 0;
  for (double arm = kLongest; arm >= kShortest; arm -= kStep) {
    const double factor = arm / longer_arm(levels);
    double cost = 0;
    for (std::size_t j = 0; j < levels.size(); ++j) {
      const double error = std::round(levels[j] * factor) / factor - levels[j];
      cost += weight[j] * error * error;
    }
    if (best_factor != 0 && cost >= best_cost) continue;
    best_cost = cost;
    best_factor = factor;
  }
  Levels rounded;
  for (std::size_t j = 0; j < levels.size(); ++j) {
    const int value = static_cast<int>(std::round(levels[j] * best_factor));
    rounded[j] = static_cast<std::uint8_t>(value + simd::kInt4Offset);
  }
  return rounded;
}

}  // namespace

Levels learn_levels(const SampleRows& rows, const Levels& start, int rounds) {
  const std::vector<SampleBlock> blocks = cut(rows);
  RealLevels levels;
  for (std::size_t j = 0; j < levels.size(); ++j) levels[j] = start[j] - simd::kInt4Offset;
  std::array<double, kInt4Levels> ss = {};
  for (int round = 0; round < rounds; ++round) {
    const Sums sums = pack_sample(blocks, levels);
    const auto sw = Sums::total(sums.sw);
    ss = Sums::total(sums.ss);
    for (std::size_t j = 0; j < levels.size(); ++j) {
      if (ss[j] > 0) levels[j] = sw[j] / ss[j];
    }
    std::sort(levels.begin(), levels.end());  // a level that nothing took may be overtaken
  }
  const bool learned = std::any_of(ss.begin(), ss.end(), [](double s) { return s > 0; });
  return learned && longer_arm(levels) > 0 ? round_levels(levels, ss) : start;
}

LevelSample level_sample(std::int64_t rows, std::int64_t cols) {
  const std::int64_t all = rows * cols, least = std::min(kLeastSample, all / 8);
  const std::int64_t weights = std::clamp(all / kSampleShare, least, kMostSample);
  constexpr std::int64_t kTile = kTileRows;
  const std::int64_t row_tiles = (weights + kTile * cols - 1) / (kTile * cols);
  const std::int64_t wanted = std::clamp(row_tiles * kTile, std::int64_t{1}, rows);
  LevelSample sample;
  for (std::int64_t i = 0; i < wanted; ++i) {
    sample.rows.push_back((2 * i + 1) * rows / (2 * wanted));
  }
  const std::int64_t a_quarter = all / 4 / (wanted * cols);
  sample.rounds = static_cast<int>(
      std::clamp(a_quarter, std::int64_t{kLeastRounds}, std::int64_t{kLevelRounds}));
  return sample;
}

}  // namespace leyden::quant
