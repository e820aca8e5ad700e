#include "simd/e4m3.h"

#include <cmath>
#include <limits>

#include "tests/simd/every_isa.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
/// Scales in use, those that make subnormals or overflow, and none at all.
constexpr float kScales[] = {1.0f,     1.8e-4f,  -0.7f, 0x1p-130f, 0x1.8p-149f,
                             0x1p120f, 0x1p127f, 0.0f,  kInf,      kNan};

std::vector<std::uint8_t> all_codes() {
  std::vector<std::uint8_t> codes(256);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i);
  return codes;
}

/// Bits, except that all NaN are one.
std::vector<std::uint32_t> comparable(const std::vector<float>& row) {
  auto bits = bits_of(row);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) bits[i] = 0x7fc00000;
  }
  return bits;
}

class E4m3Test : public EveryIsa {};

TEST_P(E4m3Test, EveryCodeWithAnyScaleMatchesTheReferenceBitForBit) {
  const auto codes = all_codes();
  for (const float scale : kScales) {
    std::vector<float> got(256), expected(256);
    level().widen_e4m3(codes.data(), 256, scale, got.data());
    reference().widen_e4m3(codes.data(), 256, scale, expected.data());
    EXPECT_EQ(comparable(got), comparable(expected)) << scale;
  }
}

TEST_P(E4m3Test, RowsOfAnyLengthAreWidenedAndNothingElse) {
  for (const int n : kAwkwardSizes) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(n));  // sanitizers watch its end
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i * 37);
    GuardedRow got(std::vector<float>(codes.size(), 7.0f));
    std::vector<float> expected(codes.size());
    level().widen_e4m3(codes.data(), n, 0.3f, got.data());
    reference().widen_e4m3(codes.data(), n, 0.3f, expected.data());
    EXPECT_EQ(comparable(got.values()), comparable(expected)) << n << " values";
  }
}

LEYDEN_FOR_EVERY_ISA(E4m3Test);

TEST(E4m3ReferenceTest, IsTheFormatsDefinitionRoundedOnce) {
  const auto codes = all_codes();
  for (const float scale : kScales) {
    std::vector<float> got(256);
    scalar::widen_e4m3(codes.data(), 256, scale, got.data());
    for (int code = 0; code < 256; ++code) {
      const int exponent = code >> 3 & 15, mantissa = code & 7;
      double value =
          exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
      if (exponent == 15 && mantissa == 7) value = kNan;
      const double product = (code & 0x80 ? -value : value) * double{scale};  // exact
      const float expected = static_cast<float>(product);
      EXPECT_EQ(comparable({got[static_cast<std::size_t>(code)]}), comparable({expected}))
          << code << " times " << scale;
    }
  }
}

}  // namespace
}  // namespace leyden::simd
