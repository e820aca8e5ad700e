#include "quant/level_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/quant/packed_matrix.h"

namespace leyden::quant {
namespace {

constexpr int kRows = 128, kCols = 1024;

/// Laplace-distributed weights.
std::vector<float> laplace(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::exponential_distribution<float> draw;
  std::vector<float> x(n);
  for (float& v : x) v = (random() & 1) != 0 ? draw(random) : -draw(random);
  return x;
}

SampleRows sample(const std::vector<float>& weights, const float* importance = nullptr) {
  return {weights.data(), kCols, static_cast<int>(weights.size()) / kCols, kCols, importance};
}

double int4_error(const std::vector<float>& w, const Levels& levels) {
  const PackedMatrix packed(WeightFormat::kInt4, static_cast<int>(w.size()) / kCols, kCols, w,
                            levels);
  return relative_rmse(w, packed.unpacked());
}

TEST(LearnLevelsTest, GaussianWeightsGiveTheDefaultTableOrOneAsGood) {
  const auto w = gaussian_weights(kRows * kCols, 1.0f, 1);
  const auto other = gaussian_weights(kRows * kCols, 0.01f, 2);
  const double learned = int4_error(other, learn_levels(sample(w), kGaussianLevels));
  EXPECT_LT(learned, 1.001 * int4_error(other, kGaussianLevels));
  EXPECT_LT(learned, 0.86 * 0.0859);  // at least 14 % below ggml's Q4_0
  // Where the fit starts matters little.
  const Levels poor = {1, 10, 18, 26, 34, 42, 50, 58, 66, 74, 82, 90, 98, 106, 114, 122};
  EXPECT_LT(int4_error(other, learn_levels(sample(w), poor)), 1.04 * learned);
}

TEST(LearnLevelsTest, LaplaceWeightsEndFarBelowQ4_0AndBelowQ4_K) {
  const Levels levels = learn_levels(sample(laplace(kRows * kCols, 3)));
  const auto other = laplace(kRows * kCols, 4);
  const double error = int4_error(other, levels);
  EXPECT_LT(error, 0.78 * 0.1069);
  EXPECT_LT(error, 0.0846);
  EXPECT_LT(error, 0.98 * int4_error(other, kGaussianLevels));
}

TEST(LearnLevelsTest, HiddenLevelsAreFound) {
  // Weights that lie on a table of their own, near enough to the start that Lloyd finds it.
  const Levels hidden = {1, 14, 23, 32, 40, 46, 51, 57, 63, 68, 76, 83, 89, 97, 106, 120};
  std::mt19937 random(5);
  std::vector<float> w(kRows * kCols);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const std::size_t code = i % 32 == 0 ? 0 : random() % 16;
    w[i] = 0x1p-9f * static_cast<float>(hidden[code] - 64);
  }
  EXPECT_LT(int4_error(w, learn_levels(sample(w))), 0.004);  // a level is rounded to 1/63
}

TEST(LearnLevelsTest, ImportantColumnsPullTheLevels) {
  // Columns of two kinds; the levels of the important kind win.
  const auto bell = gaussian_weights(kRows * kCols, 1.0f, 6);
  const auto peaked = laplace(kRows * kCols, 7);
  std::vector<float> w(bell.size()), importance(kCols);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = i % kCols < kCols / 2 ? bell[i] : peaked[i];
  for (std::size_t k = 0; k < kCols; ++k) importance[k] = k < kCols / 2 ? 1e-3f : 1.0f;
  const auto other = laplace(kRows * kCols, 8);
  EXPECT_LT(int4_error(other, learn_levels(sample(w, importance.data()))),
            int4_error(other, learn_levels(sample(w))));
}

TEST(LearnLevelsTest, OddShapesAndZerosAreFine) {
  const auto w = gaussian_weights(17 * 45, 1.0f, 9);
  const Levels levels = learn_levels({w.data(), 45, 17, 45});
  EXPECT_TRUE(std::is_sorted(levels.begin(), levels.end()));
  EXPECT_GE(levels.front(), 1);
  EXPECT_LE(levels.back(), 127);
  const std::vector<float> zeros(kRows * kCols, 0.0f);
  EXPECT_EQ(learn_levels(sample(zeros)), kGaussianLevels);
  EXPECT_EQ(learn_levels({nullptr, 0, 0, 128}), kGaussianLevels);
}

TEST(LearnLevelsTest, WeightsThatCannotBePackedTeachNothing) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e6f}) {
    auto w = laplace(kRows * kCols, 10);
    w[777] = bad;
    EXPECT_EQ(learn_levels(sample(w)), kGaussianLevels);
  }
}

TEST(LevelSampleTest, RowsAreSpreadAndLimited) {
  for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{2048, 7168},
                                   {7168, 2048},
                                   {129280, 7168},
                                   {1, 1},
                                   {3, 7},
                                   {128, 256},
                                   {64, 128},
                                   {500, 40},
                                   {1, 100000}}) {
    const LevelSample sample = level_sample(rows, cols);
    const auto n = static_cast<std::int64_t>(sample.rows.size());
    ASSERT_GE(n, 1);
    EXPECT_LE(n, rows);
    EXPECT_TRUE(n % 16 == 0 || n == rows) << n;
    EXPECT_GE(n * cols, std::min(rows * cols / 8, kLeastSample));
    EXPECT_LT((n - 16) * cols, kMostSample);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t row = sample.rows[static_cast<std::size_t>(i)];
      EXPECT_GE(row, i * rows / n) << "row " << i << " of " << n;
      EXPECT_LT(row, (i + 1) * rows / n + 1);
      EXPECT_LT(row, rows);
      if (i > 0) {
        EXPECT_GT(row, sample.rows[static_cast<std::size_t>(i - 1)]);
      }
    }
    EXPECT_GE(sample.rounds, kLeastRounds);
    EXPECT_LE(sample.rounds, kLevelRounds);
    // No more is packed for learning than a quarter of the matrix, where it has enough tiles.
    if (rows >= 128) {
      EXPECT_LE(sample.rounds * n, std::max(rows / 4, kLeastRounds * n)) << rows << ' ' << cols;
    }
  }
  EXPECT_EQ(level_sample(2048, 7168).rounds, kLevelRounds);
  EXPECT_EQ(level_sample(128, 256).rounds, 2);
}

}  // namespace
}  // namespace leyden::quant
