#include "simd/rotate.h"

#include <bit>
#include <cmath>

#include "tests/simd/every_isa.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

const std::vector<int> kRopeSizes = {0, 2, 4, 6, 14, 16, 18, 30, 32, 34, 62, 64, 66, 128};
const std::vector<int> kPowersOfTwo = {1, 2, 4, 8, 16, 32, 64, 128, 256, 4096};

struct Angles {
  explicit Angles(int pairs) {
    for (int i = 0; i < pairs; ++i) {
      cos.push_back(std::cos(0.7f * static_cast<float>(i + 1)));
      sin.push_back(std::sin(0.7f * static_cast<float>(i + 1)));
    }
  }
  std::vector<float> cos, sin;
};

class RotateTest : public EveryIsa {};

TEST_P(RotateTest, RopeMatchesTheReferenceBitForBit) {
  for (RopeFn* Kernels::*rope : {&Kernels::rope_interleaved, &Kernels::rope_half_split}) {
    for (const int n : kRopeSizes) {
      const Angles angles(n / 2);
      GuardedRow got(random_row(n, 1)), expected(random_row(n, 1));
      (level().*rope)(got.data(), angles.cos.data(), angles.sin.data(), n);
      (reference().*rope)(expected.data(), angles.cos.data(), angles.sin.data(), n);
      EXPECT_EQ(bits_of(got.values()), bits_of(expected.values())) << n;
    }
  }
}

TEST_P(RotateTest, HadamardMatchesTheReferenceBitForBit) {
  for (const int n : kPowersOfTwo) {
    GuardedRow got(random_row(n, 2)), expected(random_row(n, 2));
    level().hadamard(got.data(), n);
    reference().hadamard(expected.data(), n);
    EXPECT_EQ(bits_of(got.values()), bits_of(expected.values())) << n;
  }
}

LEYDEN_FOR_EVERY_ISA(RotateTest);

TEST(RotateReferenceTest, RopeTurnsThePairsOfItsLayout) {
  const std::vector<float> cos = {1.0f, 0.0f, -1.0f}, sin = {0.0f, 1.0f, 0.0f};  // 0, 90, 180 deg
  std::vector<float> interleaved = {1, 2, 3, 4, 5, 6};
  scalar::rope_interleaved(interleaved.data(), cos.data(), sin.data(), 6);
  EXPECT_EQ(interleaved, (std::vector<float>{1, 2, -4, 3, -5, -6}));
  std::vector<float> halves = {1, 3, 5, 2, 4, 6};
  scalar::rope_half_split(halves.data(), cos.data(), sin.data(), 6);
  EXPECT_EQ(halves, (std::vector<float>{1, -4, -5, 2, 3, -6}));
}

TEST(RotateReferenceTest, HadamardIsTheSylvesterMatrix) {
  for (const int n : {1, 2, 8, 64}) {
    const auto x = random_row(n, 3);
    std::vector<float> y = x;
    scalar::hadamard(y.data(), n);
    for (int i = 0; i < n; ++i) {
      double sum = 0, magnitude = 0;
      for (int k = 0; k < n; ++k) {  // H[i][k] = (-1)^(bits that i and k share)
        const bool odd = std::popcount(static_cast<unsigned>(i & k)) % 2 == 1;
        const double v = x[static_cast<std::size_t>(k)];
        sum += odd ? -v : v;
        magnitude += std::abs(v);
      }
      // one rounding per stage and one for the scale, of at most the sum of magnitudes each
      EXPECT_NEAR(y[static_cast<std::size_t>(i)], sum / std::sqrt(n), 8 * 0x1p-24 * magnitude);
    }
  }
}

TEST(RotateReferenceTest, HadamardTwiceGivesTheRowBack) {
  const std::vector<float> x = {1, -2, 3, 5, 8, -13, 21, 34, 0, 1, 2, 3, 4, 5, 6, 7};  // n = 4^2
  std::vector<float> y = x;
  scalar::hadamard(y.data(), 16);
  scalar::hadamard(y.data(), 16);
  EXPECT_EQ(y, x);
}

}  // namespace
}  // namespace leyden::simd
