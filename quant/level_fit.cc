#include "quant/level_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quant/group_codes.h"
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

/// Per level: sum(i s w) and sum(i s^2) over the weights that took it.
struct Sums {
  std::array<double, kInt4Levels> sw = {}, ss = {};
};

void add_block(const SampleBlock& block, const std::byte* packed, Sums& sums) {
  for (int row = 0; row < block.n_rows; ++row) {
    for (int first = 0; first < block.n_cols; first += kGroup) {
      const GroupCodes codes = read_group(WeightFormat::kInt4, packed, row, first / kGroup);
      const double scale = fp16_to_f32(codes.scale);
      const int n = std::min(kGroup, block.n_cols - first);
      for (int k = 0; k < n; ++k) {
        const std::size_t code = codes.code[static_cast<std::size_t>(k)];
        const int column = first + k;
        const double importance = block.importance == nullptr ? 1 : block.importance[column];
        sums.sw[code] += importance * scale * block.columns[column * kTileRows + row];
        sums.ss[code] += importance * scale * scale;
      }
    }
  }
}

Sums pack_sample(const std::vector<SampleBlock>& blocks, const RealLevels& levels) {
  alignas(simd::kLine) std::byte packed[simd::kBlockBytesInt4];
  const simd::Int4Levels form = search_form(levels);
  Sums sums;
  for (const SampleBlock& block : blocks) {
    simd::kernels().pack_int4(block.columns, block.n_cols, form, block.importance, packed);
    add_block(block, packed, sums);
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

Levels learn_levels(const SampleRows& rows, const Levels& start) {
  const std::vector<SampleBlock> blocks = cut(rows);
  RealLevels levels;
  for (std::size_t j = 0; j < levels.size(); ++j) levels[j] = start[j] - simd::kInt4Offset;
  Sums sums;
  for (int round = 0; round < kLevelRounds; ++round) {
    sums = pack_sample(blocks, levels);
    for (std::size_t j = 0; j < levels.size(); ++j) {
      if (sums.ss[j] > 0) levels[j] = sums.sw[j] / sums.ss[j];
    }
    std::sort(levels.begin(), levels.end());  // a level that nothing took may be overtaken
  }
  const bool learned = std::any_of(sums.ss.begin(), sums.ss.end(), [](double s) { return s > 0; });
  return learned && longer_arm(levels) > 0 ? round_levels(levels, sums.ss) : start;
}

std::vector<std::int64_t> sample_rows(std::int64_t rows, std::int64_t cols) {
  const std::int64_t weights = std::clamp(rows * cols / kSampleShare, kLeastSample, kMostSample);
  const std::int64_t wanted = std::clamp((weights + cols - 1) / cols, std::int64_t{1}, rows);
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(wanted));
  for (std::int64_t i = 0; i < wanted; ++i) {
    chosen[static_cast<std::size_t>(i)] = (2 * i + 1) * rows / (2 * wanted);
  }
  return chosen;
}

}  // namespace leyden::quant
