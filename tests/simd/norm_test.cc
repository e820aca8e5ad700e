#include "simd/norm.h"

#include <cmath>
#include <limits>

#include "tests/simd/every_isa.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

constexpr float kEps = 1e-6f;

class NormTest : public EveryIsa {};

TEST_P(NormTest, RmsNormMatchesTheReferenceBitForBit) {
  for (const int n : kAwkwardSizes) {
    const auto x = random_row(n, 1), weight = random_row(n, 2);
    GuardedRow got(x), expected(x);
    level().rms_norm(x.data(), weight.data(), n, kEps, got.data());
    reference().rms_norm(x.data(), weight.data(), n, kEps, expected.data());
    EXPECT_EQ(bits_of(got.values()), bits_of(expected.values())) << n;

    GuardedRow in_place(x);
    level().rms_norm(in_place.data(), weight.data(), n, kEps, in_place.data());
    EXPECT_EQ(bits_of(in_place.values()), bits_of(expected.values())) << n << " in place";
  }
}

TEST_P(NormTest, LayerNormMatchesTheReferenceBitForBit) {
  for (const int n : kAwkwardSizes) {
    const auto x = random_row(n, 3), weight = random_row(n, 4), bias = random_row(n, 5);
    GuardedRow got(x), expected(x);
    level().layer_norm(x.data(), weight.data(), bias.data(), n, kEps, got.data());
    reference().layer_norm(x.data(), weight.data(), bias.data(), n, kEps, expected.data());
    EXPECT_EQ(bits_of(got.values()), bits_of(expected.values())) << n;

    GuardedRow in_place(x);
    level().layer_norm(in_place.data(), weight.data(), bias.data(), n, kEps, in_place.data());
    EXPECT_EQ(bits_of(in_place.values()), bits_of(expected.values())) << n << " in place";
  }
}

TEST_P(NormTest, RowsOfZerosStayFinite) {
  const std::vector<float> zeros(200, 0.0f), ones(200, 1.0f);
  GuardedRow y(ones);
  level().rms_norm(zeros.data(), ones.data(), 200, kEps, y.data());
  EXPECT_EQ(y.values(), zeros);
  level().layer_norm(zeros.data(), ones.data(), ones.data(), 200, kEps, y.data());
  EXPECT_EQ(y.values(), ones);
}

TEST_P(NormTest, RowsWhoseSquaresOverflowBecomeNaN) {
  for (const int n : {1, 7, 200}) {
    for (const float large : {1e18f, 1e20f, std::numeric_limits<float>::infinity()}) {
      std::vector<float> x(static_cast<std::size_t>(n), 0.5f);
      x.back() = large;
      const std::vector<float> ones(x.size(), 1.0f);
      GuardedRow rms(ones), layer(ones);
      level().rms_norm(x.data(), ones.data(), n, kEps, rms.data());
      level().layer_norm(x.data(), ones.data(), ones.data(), n, kEps, layer.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        EXPECT_EQ(std::isnan(rms.values()[i]), large > 1e19f) << n << " " << large;
        const bool has_variance = n > 1 || std::isinf(large);
        EXPECT_EQ(std::isnan(layer.values()[i]), large > 1e19f && has_variance)
            << n << " " << large;
      }
    }
  }
}

LEYDEN_FOR_EVERY_ISA(NormTest);

/// Sums of up to 7168 values in 448 steps per lane: relative 448 * 2^-24 at worst, here generous.
constexpr double kTolerance = 3e-5;

TEST(NormReferenceTest, RmsNormIsItsEquation) {
  for (const int n : kAwkwardSizes) {
    const auto x = random_row(n, 6), weight = random_row(n, 7);
    double mean = 0;
    for (const float v : x) mean += double{v} * v / n;
    std::vector<float> y(x.size());
    scalar::rms_norm(x.data(), weight.data(), n, kEps, y.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double expected = x[i] / std::sqrt(mean + kEps) * weight[i];
      EXPECT_NEAR(y[i], expected, kTolerance * std::abs(expected));
    }
  }
}

TEST(NormReferenceTest, LayerNormIsItsEquation) {
  for (const int n : kAwkwardSizes) {
    const auto x = random_row(n, 8), weight = random_row(n, 9), bias = random_row(n, 10);
    double mean = 0, variance = 0;
    for (const float v : x) mean += double{v} / n;
    for (const float v : x) variance += (v - mean) * (v - mean) / n;
    std::vector<float> y(x.size());
    scalar::layer_norm(x.data(), weight.data(), bias.data(), n, kEps, y.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double normed = (x[i] - mean) / std::sqrt(variance + kEps);
      const double magnitude =
          std::abs(normed * weight[i]) + std::abs(weight[i]) + std::abs(bias[i]);
      EXPECT_NEAR(y[i], normed * weight[i] + bias[i], kTolerance * magnitude);
    }
  }
}

}  // namespace
}  // namespace leyden::simd
