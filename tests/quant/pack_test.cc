#include "quant/pack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "quant/group_codes.h"
#include "quant/number.h"
#include "tests/quant/packed_matrix.h"
#include "tests/quant/weight_formats.h"

namespace leyden::quant {
namespace {

class PackShapeTest : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(PackShapeTest, F32AndBf16TilesLieAsLayoutSaysAndComeBack) {
  const auto [rows, cols] = GetParam();
  const std::vector<float> w = gaussian_weights(static_cast<std::size_t>(rows * cols));
  const PackedMatrix f32(WeightFormat::kF32, rows, cols, w);
  ASSERT_EQ(f32.status, PackStatus::kOk);
  EXPECT_EQ(f32.unpacked(), w);
  const auto* column_major = reinterpret_cast<const float*>(f32.view.tile(0));
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < f32.view.n_blocks() * 128; ++c) {
      const float expected = r < rows && c < cols ? w[static_cast<std::size_t>(r * cols + c)] : 0;
      ASSERT_EQ(column_major[c * 16 + r], expected) << r << ' ' << c;
    }
  }

  std::vector<float> rounded = w;
  for (float& v : rounded) v = bf16_to_f32(f32_to_bf16(v));
  const PackedMatrix bf16(WeightFormat::kBf16, rows, cols, w);
  EXPECT_EQ(bf16.unpacked(), rounded);
  const auto* pairs = reinterpret_cast<const std::uint16_t*>(bf16.view.tile(0));
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < bf16.view.n_blocks() * 128; ++c) {
      const float expected =
          r < rows && c < cols ? rounded[static_cast<std::size_t>(r * cols + c)] : 0;
      ASSERT_EQ(bf16_to_f32(pairs[(c / 2 * 16 + r) * 2 + c % 2]), expected) << r << ' ' << c;
    }
  }
}

TEST_P(PackShapeTest, Int8IsWithinHalfAStepOfTheLargestWeightOfTheGroup) {
  const auto [rows, cols] = GetParam();
  const std::vector<float> w = gaussian_weights(static_cast<std::size_t>(rows * cols));
  const PackedMatrix packed(WeightFormat::kInt8, rows, cols, w);
  ASSERT_EQ(packed.status, PackStatus::kOk);
  const std::vector<float> back = packed.unpacked();
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      const auto* row = &w[static_cast<std::size_t>(r * cols)];
      float largest = 0;
      for (int k = c / 32 * 32; k < std::min(cols, c / 32 * 32 + 32); ++k) {
        largest = std::max(largest, std::abs(row[k]));
      }
      // half a step of largest / 127, the scale's own 2^-11, and clipping by as much
      const float tolerance = largest * (0.5f / 127 + 0x1p-10f);
      ASSERT_NEAR(back[static_cast<std::size_t>(r * cols + c)], row[c], tolerance) << r << ' ' << c;
    }
  }
}

TEST_P(PackShapeTest, PaddingIsZeroWeights) {
  const auto [rows, cols] = GetParam();
  const std::vector<float> w = gaussian_weights(static_cast<std::size_t>(rows * cols));
  const PackedMatrix int8(WeightFormat::kInt8, rows, cols, w);
  const PackedMatrix int4(WeightFormat::kInt4, rows, cols, w);
  const int n_groups = int8.view.n_blocks() * 4;
  for (int r = 0; r < 16; ++r) {
    for (int g = 0; g < n_groups; ++g) {
      const GroupCodes eight = read_group(WeightFormat::kInt8, int8.view.tile(0), r, g);
      const GroupCodes four = read_group(WeightFormat::kInt4, int4.view.tile(0), r, g);
      if (r >= rows || g * 32 >= cols) {
        ASSERT_EQ(eight.scale, 0);
        ASSERT_EQ(four.scale, 0);
      }
      for (int k = 0; k < 32; ++k) {
        if (r < rows && g * 32 + k < cols) continue;
        ASSERT_EQ(eight.code[static_cast<std::size_t>(k)], 128);
        ASSERT_EQ(kGaussianLevels[four.code[static_cast<std::size_t>(k)]], 64);  // the zero level
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, PackShapeTest,
                         testing::Combine(testing::Values(1, 15, 16),
                                          testing::Values(1, 31, 32, 33, 127, 128, 129, 160, 576)));

TEST(PackTest, Int4BeatsPlainFourBitRoundingByFourteenPercentOnGaussianWeights) {
  const std::vector<float> w = gaussian_weights(16 * 8192);
  const PackedMatrix packed(WeightFormat::kInt4, 16, 8192, w);
  EXPECT_LT(relative_rmse(w, packed.unpacked()), 0.86 * 0.0859);  // ggml's Q4_0: 0.0859
}

TEST(PackTest, Int8ErrorOnGaussianWeightsIsThatOfATwoHundredFiftiethOfTheRange) {
  const std::vector<float> w = gaussian_weights(16 * 8192);
  EXPECT_LT(relative_rmse(w, PackedMatrix(WeightFormat::kInt8, 16, 8192, w).unpacked()), 0.0056);
}

TEST(PackTest, Int4ReproducesWeightsThatLieOnTheLevels) {
  std::mt19937 random(3);
  std::vector<float> w(16 * 256);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const int level = i % 32 == 5 ? 15 : static_cast<int>(random() % 16);
    const float scale = i / 32 % 2 == 0 ? 0x1.4p-9f : -0x1.4p-9f;
    w[i] = scale * static_cast<float>(kGaussianLevels[static_cast<std::size_t>(level)] - 64);
  }
  EXPECT_EQ(PackedMatrix(WeightFormat::kInt4, 16, 256, w).unpacked(), w);
}

TEST(PackTest, ImportantColumnsGetTheSmallerError) {
  const std::vector<float> w = gaussian_weights(16 * 1024);
  std::vector<float> importance(1024, 1.0f);
  for (std::size_t k = 0; k < importance.size(); k += 4) importance[k] = 100.0f;
  const auto error_of_important = [&](const PackedMatrix& packed) {
    const std::vector<float> back = packed.unpacked();
    double sum = 0;
    for (std::size_t i = 0; i < w.size(); i += 4) sum += std::pow(double{w[i]} - back[i], 2);
    return sum;
  };
  const double plain = error_of_important(PackedMatrix(WeightFormat::kInt4, 16, 1024, w));
  const double weighted = error_of_important(
      PackedMatrix(WeightFormat::kInt4, 16, 1024, w, kGaussianLevels, importance.data()));
  EXPECT_LT(weighted, 0.75 * plain);
}

TEST(PackTest, WeightsThatAreNotFiniteAreReported) {
  for (const WeightFormat format : kWeightFormats) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      for (const std::size_t where : {0u, 77u, 3u * 200 - 1}) {
        std::vector<float> w = gaussian_weights(3 * 200);
        w[where] = bad;
        EXPECT_EQ(PackedMatrix(format, 3, 200, w).status, PackStatus::kNotFinite) << name(format);
      }
    }
  }
}

TEST(PackTest, WeightsBeyondTheScalesRangeAreReported) {
  const auto status = [](WeightFormat format, float weight) {
    std::vector<float> w(200, 1.0f);
    w[150] = weight;
    return PackedMatrix(format, 1, 200, w).status;
  };
  EXPECT_EQ(status(WeightFormat::kF32, 3.4e38f), PackStatus::kOk);
  EXPECT_EQ(status(WeightFormat::kBf16, -3.38e38f), PackStatus::kOk);
  EXPECT_EQ(status(WeightFormat::kBf16, 3.4e38f), PackStatus::kTooLarge);
  EXPECT_EQ(status(WeightFormat::kInt8, 65504.0f * 127), PackStatus::kOk);
  EXPECT_EQ(status(WeightFormat::kInt8, -65520.0f * 127), PackStatus::kTooLarge);
  EXPECT_EQ(status(WeightFormat::kInt4, 65504.0f), PackStatus::kOk);
  EXPECT_EQ(status(WeightFormat::kInt4, 1e6f), PackStatus::kTooLarge);
}

TEST(PackTest, TinyWeightsKeepTheirOrderOfMagnitudeOrBecomeZero) {
  for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
    for (float sigma = 1e-4f; sigma > 1e-12f; sigma *= 0.3f) {
      const std::vector<float> w = gaussian_weights(16 * 256, sigma);
      const PackedMatrix packed(format, 16, 256, w);
      ASSERT_EQ(packed.status, PackStatus::kOk);
      // a subnormal scale is off by up to 2^-25, for levels up to 127
      double error = 0;
      const std::vector<float> back = packed.unpacked();
      for (std::size_t i = 0; i < w.size(); ++i) {
        error = std::max(error, std::abs(double{w[i]} - back[i]));
      }
      EXPECT_LT(error, 0.5 * sigma + 127 * 0x1p-25) << name(format) << ' ' << sigma;
    }
    const std::vector<float> smallest(200, std::numeric_limits<float>::denorm_min());
    EXPECT_EQ(PackedMatrix(format, 1, 200, smallest).unpacked(), std::vector<float>(200, 0.0f));
  }
}

TEST(GroupCodesTest, GroupsDoNotTouchEachOther) {
  for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
    const int limit = format == WeightFormat::kInt8 ? 256 : 16;
    AlignedBytes tile(2 * block_bytes(format));
    std::mt19937 random(11);
    std::vector<GroupCodes> written(16 * 8);
    for (std::size_t i = 0; i < written.size(); ++i) {
      written[i].scale = static_cast<std::uint16_t>(random());
      for (auto& code : written[i].code) {
        code = static_cast<std::uint8_t>(random() % static_cast<unsigned>(limit));
      }
      write_group(format, written[i], static_cast<int>(i / 8), static_cast<int>(i % 8),
                  tile.data());
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
      EXPECT_EQ(read_group(format, tile.data(), static_cast<int>(i / 8), static_cast<int>(i % 8)),
                written[i]);
    }
  }
}

}  // namespace
}  // namespace leyden::quant
