#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quant/levels.h"

namespace leyden::quant {

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
Levels learn_levels(const SampleRows& rows, const Levels& start = kGaussianLevels);

/// Which rows of a matrix [rows, cols] to learn from: evenly spread, together about 1 /
/// kSampleShare of its weights, but at least kLeastSample and at most kMostSample of them (or all
/// rows). Learning then takes a quarter of the time of packing, and a few percent for large
/// matrices.
std::vector<std::int64_t> sample_rows(std::int64_t rows, std::int64_t cols);

constexpr int kLevelRounds = 6;
constexpr std::int64_t kSampleShare = 24;
constexpr std::int64_t kLeastSample = 1 << 13;  // 256 groups
constexpr std::int64_t kMostSample = 1 << 16;

}  // namespace leyden::quant
