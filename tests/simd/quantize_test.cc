#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "simd/bf16.h"
#include "tests/simd/every_isa.h"

namespace leyden::simd {
namespace {

/// A panel under construction with `width` tokens; every array starts with a value that shows
/// where nothing was written.
struct Panel {
  Panel(int n, int width_in) : n_blocks((n + kBlock - 1) / kBlock), width(width_in) {
    x.assign(std::size_t(n_blocks) * width * kBlock, -7.0f);
    bf16.assign(x.size(), std::uint16_t{12345});
    q.assign(x.size(), std::int8_t{99});
    scale.assign(std::size_t(n_blocks) * width, -7.0f);
    start_int4.assign(scale.size() * kGroupsPerBlock, 12345);
    start_int8 = start_int4;
  }
  PanelRow row(int t) {
    return {x.data() + t * kBlock,
            bf16.data() + t * kBlock,
            q.data() + t * kBlock,
            scale.data() + t,
            start_int4.data() + t * kGroupsPerBlock,
            start_int8.data() + t * kGroupsPerBlock,
            width};
  }
  bool operator==(const Panel&) const = default;

  int n_blocks, width;
  std::vector<float> x, scale;
  std::vector<std::uint16_t> bf16;
  std::vector<std::int8_t> q;
  std::vector<std::int32_t> start_int4, start_int8;
};

std::vector<float> random_row(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> row(static_cast<std::size_t>(n));
  for (float& v : row) v = normal(random);
  return row;
}

class QuantizeRowTest : public EveryIsa {
 protected:
  void expect_reference(const std::vector<float>& row, int width, int token) {
    const int n = static_cast<int>(row.size());
    Panel got(n, width), expected(n, width);
    level().quantize_row(row.data(), n, got.row(token));
    scalar::quantize_row(row.data(), n, expected.row(token));
    EXPECT_EQ(got, expected) << n << " values, token " << token << " of " << width;
  }
};

TEST_P(QuantizeRowTest, MatchesTheReferenceAtAwkwardSizes) {
  for (const int n : {1, 2, 15, 16, 17, 31, 33, 127, 128, 129, 255, 576, 1536, 7168, 7169}) {
    expect_reference(random_row(n, 3), 1, 0);
    expect_reference(random_row(n, 4), 16, 9);
  }
}

TEST_P(QuantizeRowTest, MatchesTheReferenceAtTheExtremes) {
  expect_reference(std::vector<float>(200, 0.0f), 2, 1);
  expect_reference(std::vector<float>(200, -3.5f), 2, 1);
  expect_reference(std::vector<float>(200, 1e-40f), 2, 1);
  expect_reference(std::vector<float>(200, 3.4e38f), 2, 1);
  std::vector<float> ties(128);  // the largest is 127, so values are their own quantization
  for (int i = 0; i < 128; ++i) ties[static_cast<std::size_t>(i)] = static_cast<float>(i) - 0.5f;
  ties[0] = 127.0f;
  expect_reference(ties, 1, 0);
}

TEST_P(QuantizeRowTest, GivesABlockThatIsNotFiniteCodesOfZeroAndAScaleThatSaysSo) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const auto& bad : std::vector<std::vector<float>>{{infinity},
                                                         {-infinity},
                                                         {not_a_number},
                                                         {-not_a_number},
                                                         {infinity, not_a_number},
                                                         {not_a_number, -infinity},
                                                         {not_a_number, kMax}}) {
    for (const std::size_t at : {0u, 15u, 16u, 40u, 126u}) {
      std::vector<float> row = random_row(300, 8);  // the blocks at both sides are as ever
      for (std::size_t i = 0; i < bad.size(); ++i) row[kBlock + at + i] = bad[i];
      Panel got(300, 1), around(300, 1);
      level().quantize_row(row.data(), 300, got.row(0));
      std::fill_n(row.begin() + kBlock, kBlock, 0.0f);  // a block of zeros, but for its scale
      scalar::quantize_row(row.data(), 300, around.row(0));
      const bool has_nan = std::isnan(bad.front()) || std::isnan(bad.back());
      EXPECT_EQ(std::isnan(got.scale[1]), has_nan) << at;
      EXPECT_EQ(std::isinf(got.scale[1]), !has_nan) << at;
      got.scale[1] = 0;
      EXPECT_EQ(got.scale, around.scale) << at;
      EXPECT_EQ(got.q, around.q) << at;
      EXPECT_EQ(got.start_int4, around.start_int4) << at;
      EXPECT_EQ(got.start_int8, around.start_int8) << at;
    }
  }
  expect_reference(std::vector<float>(200, kMax), 1, 0);
  expect_reference({kMax, -kMax, 1.0f, kMax / 2}, 1, 0);
}

TEST_P(QuantizeRowTest, WritesOnlyWhatIsWanted) {
  const std::vector<float> row = random_row(200, 5);
  Panel all(200, 1), floats(200, 1), integers(200, 1);
  const auto quantize = level().quantize_row;
  quantize(row.data(), 200, all.row(0));
  quantize(row.data(), 200, {.x = floats.x.data(), .width = 1});
  EXPECT_EQ(floats.x, all.x);
  EXPECT_EQ(floats.bf16, Panel(200, 1).bf16);
  Panel bf16(200, 1);
  quantize(row.data(), 200, {.bf16 = bf16.bf16.data(), .width = 1});
  EXPECT_EQ(bf16.bf16, all.bf16);
  EXPECT_EQ(bf16.x, Panel(200, 1).x);
  PanelRow without_x = integers.row(0);
  without_x.x = nullptr;
  quantize(row.data(), 200, without_x);
  EXPECT_EQ(integers.q, all.q);
  EXPECT_EQ(integers.x, Panel(200, 1).x);
}

LEYDEN_FOR_EVERY_ISA(QuantizeRowTest);

TEST(QuantizeRowReference, KeepsEveryValueWithinHalfAStep) {
  const std::vector<float> row = random_row(300, 6);
  Panel panel(300, 1);
  scalar::quantize_row(row.data(), 300, panel.row(0));
  for (std::size_t i = 0; i < 384; ++i) {
    const float expected = i < 300 ? row[i] : 0.0f;
    const float scale = panel.scale[i / kBlock];
    EXPECT_EQ(panel.x[i], expected);
    EXPECT_NEAR(scalar::from_bf16(panel.bf16[i]), expected, std::abs(expected) / 256);
    EXPECT_NEAR(panel.q[i] * scale, expected, 0.5001f * scale);
  }
  for (std::size_t g = 0; g < 12; ++g) {
    int sum = 0;
    for (std::size_t k = 0; k < kGroup; ++k) sum += panel.q[g * kGroup + k];
    EXPECT_EQ(panel.start_int4[g], kFloatBiasBits - 64 * sum);
    EXPECT_EQ(panel.start_int8[g], kFloatBiasBits - 128 * sum);
  }
}

}  // namespace
}  // namespace leyden::simd
