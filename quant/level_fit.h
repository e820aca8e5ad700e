#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quant/levels.h"

namespace leyden::quant {

constexpr int kLevelRounds = 6;
constexpr int kLeastRounds = 2;
constexpr std::int64_t kSampleShare = 24;
constexpr std::int64_t kLeastSample = 1 << 13;  // 256 groups
constexpr std::int64_t kMostSample = 1 << 16;

/// Some rows of a matrix, f32, for learning its levels.
struct SampleRows {
  const float* weight = nullptr;  // [n_rows, cols], rows row_stride floats apart
  std::ptrdiff_t row_stride = 0;
  int n_rows = 0;
  int cols = 0;
  const float* importance = nullptr;  // [cols], each > 0, or null: all alike
};

/// Levels that make the squared error of packing rows like these small: Lloyd's alternation, with
/// the packing kernel itself choosing scales and codes. For fixed scales s and codes c the best
/// level is
///   level[j] = sum(i s w) / sum(i s^2) over the weights with c = j,
/// so every round lowers the sample's error until codes stop changing; kLevelRounds rounds from
/// `start` get within a per mille of that. The result is then scaled so that rounding its levels to
/// integers costs least.
/// A sample of zeros, or one with a weight that can't be packed, gives `start` back.
Levels learn_levels(const SampleRows& rows, const Levels& start = kGaussianLevels,
                    int rounds = kLevelRounds);

/// What to learn a matrix' levels from.
struct LevelSample {
  std::vector<std::int64_t> rows;  // numbers of rows, ascending, evenly spread
  int rounds = 0;
};

/// The sample of a matrix [rows, cols]: about 1 / kSampleShare of its weights, but at least
/// kLeastSample or an eighth, whichever is less, and at most kMostSample. Rows are taken in
/// sixteens, which cost as much as one. All rounds together pack a quarter of the matrix, so that
/// learning takes less than a third of the time, and a few percent for large matrices.
LevelSample level_sample(std::int64_t rows, std::int64_t cols);

}  // namespace leyden::quant
