#include "quant/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace leyden::quant {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// The definition of a small float: sign, exponent, mantissa, without its special codes.
double small_float(int code, int exponent_bits, int mantissa_bits) {
  const int sign = (code >> (exponent_bits + mantissa_bits)) & 1;
  const int exponent = (code >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = code & ((1 << mantissa_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double value =
      exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                    : std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  return sign ? -value : value;
}

TEST(Fp16Test, EveryCodeHasTheValueOfItsDefinition) {
  for (int code = 0; code < 0x10000; ++code) {
    const float value = fp16_to_f32(static_cast<std::uint16_t>(code));
    const int magnitude = code & 0x7fff;
    if (magnitude > 0x7c00) {
      EXPECT_TRUE(std::isnan(value)) << code;
    } else if (magnitude == 0x7c00) {
      EXPECT_EQ(value, code & 0x8000 ? -kInf : kInf);
    } else {
      EXPECT_EQ(value, small_float(code, 5, 10)) << code;
      EXPECT_EQ(std::signbit(value), (code & 0x8000) != 0) << code;
    }
  }
}

TEST(Fp16Test, EveryCodeSurvivesTheWayThroughFloat) {
  for (int code = 0; code < 0x10000; ++code) {
    const float value = fp16_to_f32(static_cast<std::uint16_t>(code));
    if (std::isnan(value)) continue;
    EXPECT_EQ(f32_to_fp16(value), code);
  }
}

TEST(Fp16Test, RoundsToNearestAndTiesToEven) {
  for (int code = 0; code < 0x7bff; ++code) {
    const double low = small_float(code, 5, 10);
    const double high = small_float(code + 1, 5, 10);
    const auto middle = static_cast<float>((low + high) / 2);  // exact: 12 bits
    EXPECT_EQ(f32_to_fp16(middle), code % 2 == 0 ? code : code + 1);
    EXPECT_EQ(f32_to_fp16(std::nextafter(middle, -kInf)), code);
    EXPECT_EQ(f32_to_fp16(std::nextafter(middle, kInf)), code + 1);
  }
  EXPECT_EQ(f32_to_fp16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_fp16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_fp16(-1e30f), 0xfc00);
  EXPECT_EQ(f32_to_fp16(1e-30f), 0);
  EXPECT_EQ(f32_to_fp16(-1e-30f), 0x8000);
  EXPECT_TRUE(std::isnan(fp16_to_f32(f32_to_fp16(std::nanf("")))));
}

TEST(E4m3Test, EveryCodeHasTheValueOfItsDefinition) {
  for (int code = 0; code < 256; ++code) {
    const float value = e4m3_to_f32(static_cast<std::uint8_t>(code));
    if ((code & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(value)) << code;
    } else {
      EXPECT_EQ(value, small_float(code, 4, 3)) << code;
      EXPECT_EQ(std::signbit(value), code >= 128) << code;
      EXPECT_EQ(f32_to_e4m3(value), code);
    }
  }
  EXPECT_EQ(e4m3_to_f32(std::uint8_t{0x7e}), 448.0f);
}

TEST(E4m3Test, RoundsToNearestTiesToEvenAndSaturates) {
  for (int code = 0; code < 0x7e; ++code) {
    const auto middle =
        static_cast<float>((small_float(code, 4, 3) + small_float(code + 1, 4, 3)) / 2);
    EXPECT_EQ(f32_to_e4m3(middle), code % 2 == 0 ? code : code + 1);
    EXPECT_EQ(f32_to_e4m3(std::nextafter(middle, -kInf)), code);
    EXPECT_EQ(f32_to_e4m3(std::nextafter(middle, kInf)), code + 1);
  }
  EXPECT_EQ(f32_to_e4m3(1e9f), 0x7e);
  EXPECT_EQ(f32_to_e4m3(-kInf), 0xfe);
  EXPECT_EQ(f32_to_e4m3(std::nanf("")) & 0x7f, 0x7f);
}

TEST(Bf16Test, RoundsToNearestAndTiesToEven) {
  EXPECT_EQ(bf16_to_f32(std::uint16_t{0x3f80}), 1.0f);
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f), 0x3f80);                     // tie, even below
  EXPECT_EQ(f32_to_bf16(1.0f + 3 * 0x1p-8f), 0x3f82);                 // tie, even above
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f + 0x1p-23f), 0x3f81);          // just above the tie
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);  // carries into infinity
  EXPECT_EQ(f32_to_bf16(-std::numeric_limits<float>::denorm_min()), 0x8000);
  const float nan_with_low_payload = std::bit_cast<float>(0x7f800001u);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(nan_with_low_payload))));
}

TEST(Bf16Test, EveryCodeSurvivesTheWayThroughFloat) {
  for (int code = 0; code < 0x10000; ++code) {
    const float value = bf16_to_f32(static_cast<std::uint16_t>(code));
    if (std::isnan(value)) continue;
    EXPECT_EQ(f32_to_bf16(value), code);
  }
}

TEST(NumberTest, ManyAtOnceEqualOneByOne) {
  std::vector<std::uint16_t> codes(0x10000);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint16_t>(i);
  std::vector<float> bf16(codes.size());
  std::vector<float> fp16(codes.size());
  bf16_to_f32(codes, bf16.data());
  fp16_to_f32(codes, fp16.data());
  std::vector<std::uint16_t> back(codes.size());
  f32_to_bf16(fp16, back.data());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(bf16[i]),
              std::bit_cast<std::uint32_t>(bf16_to_f32(codes[i])));
    EXPECT_EQ(std::bit_cast<std::uint32_t>(fp16[i]),
              std::bit_cast<std::uint32_t>(fp16_to_f32(codes[i])));
    EXPECT_EQ(back[i], f32_to_bf16(fp16[i]));
  }
}

TEST(NumberTest, ScaledE4m3RoundsOnce) {
  std::vector<std::uint8_t> codes(256);
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<std::uint8_t>(i);
  std::vector<float> values(256);
  const float scale = 1.1f;
  e4m3_to_f32(codes, scale, values.data());
  for (int i = 0; i < 256; ++i) {
    if ((i & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(values[i]));
    } else {
      EXPECT_EQ(values[i], static_cast<float>(small_float(i, 4, 3) * double{scale}));
    }
  }
}

TEST(NumberTest, FindsTheFirstValueThatIsNotFinite) {
  std::vector<float> values(5000, 1.0f);
  EXPECT_EQ(first_non_finite({}), 0u);
  EXPECT_EQ(first_non_finite(values), values.size());
  values[4999] = kInf;
  EXPECT_EQ(first_non_finite(values), 4999u);
  values[1025] = std::nanf("");
  EXPECT_EQ(first_non_finite(values), 1025u);
  values[0] = -kInf;
  EXPECT_EQ(first_non_finite(values), 0u);
}

}  // namespace
}  // namespace leyden::quant
