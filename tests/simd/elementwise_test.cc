#include "simd/elementwise.h"

#include <cmath>

#include "tests/simd/every_isa.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

/// Values whose exp is 0, tiny, huge or infinite.
std::vector<float> extremes(int n) {
  const float values[] = {0.0f,    -0.0f,    1e-30f,     -1e-30f,     87.0f,  -87.0f, 87.4f,
                          -87.4f,  88.7f,    -88.7f,     90.0f,       -90.0f, 1e4f,   -1e4f,
                          3.0e38f, -3.0e38f, 0.6931472f, -0.6931472f, 1.0f};
  std::vector<float> row(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = values[i % std::size(values)];
  return row;
}

class ElementwiseTest : public EveryIsa {
 protected:
  /// Runs `apply(kernels, row)` on this level and on the reference.
  template <typename Apply>
  void expect_same(const std::vector<float>& row, Apply apply) {
    GuardedRow got(row), expected(row);
    apply(level(), got.data());
    apply(reference(), expected.data());
    EXPECT_EQ(bits_of(got.values()), bits_of(expected.values())) << row.size() << " values";
  }
};

TEST_P(ElementwiseTest, SwigluMatchesTheReferenceBitForBit) {
  for (const int n : kAwkwardSizes) {
    for (const auto& gate : {random_row(n, 1), extremes(n)}) {
      const auto up = random_row(n, 2);
      expect_same(up,
                  [&](const Kernels& k, float* out) { k.swiglu(gate.data(), up.data(), n, out); });
      expect_same(gate, [&](const Kernels& k, float* io) { k.swiglu(io, up.data(), n, io); });
      expect_same(up, [&](const Kernels& k, float* io) { k.swiglu(gate.data(), io, n, io); });
    }
  }
}

TEST_P(ElementwiseTest, SumsMatchTheReferenceBitForBit) {
  for (const int n : kAwkwardSizes) {
    const auto x = random_row(n, 3), y = random_row(n, 4);
    expect_same(y, [&](const Kernels& k, float* io) { k.add(x.data(), n, io); });
    expect_same(y, [&](const Kernels& k, float* io) { k.add(io, n, io); });
    expect_same(y, [&](const Kernels& k, float* io) { k.scaled_add(x.data(), 1.7f, n, io); });
    expect_same(y, [&](const Kernels& k, float* io) { k.scaled_add(io, -0.3f, n, io); });
  }
}

TEST_P(ElementwiseTest, SigmoidAndSoftmaxMatchTheReferenceBitForBit) {
  for (const int n : kAwkwardSizes) {
    for (const auto& x : {random_row(n, 5), extremes(n)}) {
      expect_same(x, [&](const Kernels& k, float* io) { k.sigmoid(io, n); });
      if (n > 0) expect_same(x, [&](const Kernels& k, float* io) { k.softmax(io, n); });
    }
    const std::vector<float> lowest(static_cast<std::size_t>(n), -3.0e38f);
    if (n > 0) expect_same(lowest, [&](const Kernels& k, float* io) { k.softmax(io, n); });
  }
}

TEST_P(ElementwiseTest, WideningBf16IsAShiftOfEveryCode) {
  std::vector<std::uint16_t> codes(0x10000);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint16_t>(i);
  GuardedRow wide(std::vector<float>(codes.size(), 0.0f));
  level().widen_bf16(codes.data(), 0x10000, wide.data());
  const auto bits = bits_of(wide.values());
  for (std::size_t i = 0; i < bits.size(); ++i) ASSERT_EQ(bits[i], i << 16);
  for (const int n : kAwkwardSizes) {
    GuardedRow row(std::vector<float>(static_cast<std::size_t>(n), 0.0f));
    level().widen_bf16(codes.data() + 0x3f00, n, row.data());
    const auto got = bits_of(row.values());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], (0x3f00 + i) << 16) << n;
  }
}

LEYDEN_FOR_EVERY_ISA(ElementwiseTest);

constexpr double kUlp = 0x1p-23;

TEST(ElementwiseReferenceTest, SwigluAndSigmoidAreTheirEquations) {
  const auto x = random_row(7168, 6), up = random_row(7168, 7);
  std::vector<float> out(x.size()), p = x;
  scalar::swiglu(x.data(), up.data(), 7168, out.data());
  scalar::sigmoid(p.data(), 7168);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double sigmoid = 1.0 / (1.0 + std::exp(-double{x[i]}));
    EXPECT_NEAR(p[i], sigmoid, 3 * kUlp * sigmoid + 1e-37) << x[i];
    const double product = sigmoid * x[i] * up[i];
    EXPECT_NEAR(out[i], product, 4 * kUlp * std::abs(product) + 1e-36) << x[i];
  }
}

TEST(ElementwiseReferenceTest, SoftmaxIsItsEquation) {
  for (const int n : {1, 2, 15, 16, 17, 160, 256}) {
    const auto x = random_row(n, 8);
    std::vector<float> p = x;
    scalar::softmax(p.data(), n);
    double largest = -1e30, sum = 0;
    for (const float v : x) largest = std::max(largest, double{v});
    for (const float v : x) sum += std::exp(v - largest);
    for (std::size_t i = 0; i < p.size(); ++i) {
      // x - max is rounded: an error of 2^-24 |x - max| in the exponent
      const double exact = std::exp(x[i] - largest) / sum;
      EXPECT_NEAR(p[i], exact, exact * kUlp * (20 + largest - x[i]) + 1e-37);
    }
  }
}

}  // namespace
}  // namespace leyden::simd
