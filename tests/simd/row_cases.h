#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

namespace leyden::simd {

/// Lengths where loops over 16 lanes go wrong, and DeepSeek-V3's hidden size.
inline const std::vector<int> kAwkwardSizes = {0,  1,  2,  7,  8,  9,   15,  16,   17,
                                               31, 32, 33, 63, 64, 127, 129, 1000, 7168};

/// Normally distributed values with some zeros of both signs and some large ones among them.
inline std::vector<float> random_row(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> row(static_cast<std::size_t>(n));
  for (float& v : row) {
    const unsigned kind = random() % 32;
    v = kind == 0 ? 0.0f : kind == 1 ? -0.0f : kind == 2 ? 40 * normal(random) : normal(random);
  }
  return row;
}

/// A row in memory that ends in a canary, to see writes past the end.
class GuardedRow {
 public:
  explicit GuardedRow(const std::vector<float>& row) : memory_(row), n_(row.size()) {
    memory_.insert(memory_.end(), 16, kCanary);
  }
  float* data() { return memory_.data(); }
  /// The row's values. Fails the test when something behind them changed.
  std::vector<float> values() const {
    for (std::size_t i = n_; i < memory_.size(); ++i) {
      EXPECT_EQ(memory_[i], kCanary) << "written " << i - n_ << " past the end";
    }
    return {memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(n_)};
  }

 private:
  static constexpr float kCanary = 1234.5f;
  std::vector<float> memory_;
  std::size_t n_;
};

/// Bit patterns: -0 and +0 differ, as does a NaN from a number.
inline std::vector<std::uint32_t> bits_of(const std::vector<float>& row) {
  std::vector<std::uint32_t> bits(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) bits[i] = std::bit_cast<std::uint32_t>(row[i]);
  return bits;
}

}  // namespace leyden::simd
