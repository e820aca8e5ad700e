#include "simd/pack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/simd/every_isa.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

using Columns = std::array<float, kBlock * kTileRows>;

/// Rows of every size from subnormal to large, one all zeros, one with a single weight per group.
Columns awkward_columns(unsigned seed) {
  const std::vector<float> values = random_row(kBlock * kTileRows, seed);
  constexpr float kSizes[kTileRows] = {1,      0.02f,  0,    1e-4f, 1e-6f, 3e-7f, 1e-8f, 1e-12f,
                                       1e-30f, 1e-42f, 1e2f, 400,   0.02f, 0.02f, 1,     1e-5f};
  Columns columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::size_t row = i % kTileRows, col = i / kTileRows;
    columns[i] = values[i] * kSizes[row];
    if (row == 12 && col % kGroup != 7) columns[i] = 0;
    if (row == 13) columns[i] = col % 2 == 0 ? 0.5f : -0.5f;
  }
  return columns;
}

/// A lopsided table without a zero, and the plain integers.
Int4Levels some_levels(bool even) {
  constexpr float kLopsided[kInt4Levels] = {-63, -48, -38, -30, -23, -17, -11, -6,
                                            1,   5,   11,  17,  24,  31,  40,  52};
  Int4Levels levels = {};
  for (int i = 0; i < kInt4Levels; ++i) {
    levels.level[i] = even ? static_cast<float>(i - 8) : kLopsided[i];
  }
  for (int step = 0; step < 4; ++step) {
    for (int path = 0; path < 1 << step; ++path) {
      const int upper = path * (16 >> step) + (8 >> step);
      levels.border[step][path] = (levels.level[upper - 1] + levels.level[upper]) / 2;
    }
  }
  return levels;
}

template <std::size_t kBytes>
struct Block {
  alignas(kLine) std::array<std::byte, kBytes> bytes = {};
  std::byte* data() { return bytes.data(); }
  bool operator==(const Block&) const = default;
};

class PackKernelTest : public EveryIsa {};

TEST_P(PackKernelTest, ColumnsAreTheTransposedRowsAndZeros) {
  const std::vector<float> rows = random_row(16 * 200, 1);
  for (const int n_rows : {1, 2, 15, 16}) {
    for (const int n_cols : {1, 15, 16, 17, 31, 112, 127, 128}) {
      Columns got, expected;
      got.fill(-7.0f);
      const float largest = level().pack_columns(rows.data(), 200, n_rows, n_cols, got.data());
      EXPECT_EQ(largest,
                reference().pack_columns(rows.data(), 200, n_rows, n_cols, expected.data()));
      EXPECT_EQ(got, expected) << n_rows << " rows, " << n_cols << " columns";
      for (int r = 0; r < kTileRows; ++r) {
        for (int c = 0; c < kBlock; ++c) {
          const float wanted = r < n_rows && c < n_cols ? rows[std::size_t(r * 200 + c)] : 0.0f;
          ASSERT_EQ(got[std::size_t(c * kTileRows + r)], wanted) << r << ' ' << c;
        }
      }
    }
  }
}

TEST_P(PackKernelTest, ColumnsReportTheLargestWeightWhereverItIs) {
  std::vector<float> rows = random_row(16 * 128, 2);
  Columns columns;
  for (std::size_t i = 0; i < rows.size(); i += 37) {
    const float before = rows[i];
    rows[i] = -3e5f;
    EXPECT_EQ(level().pack_columns(rows.data(), 128, 16, 128, columns.data()), 3e5f);
    rows[i] = -std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isinf(level().pack_columns(rows.data(), 128, 16, 128, columns.data())));
    rows[i] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(level().pack_columns(rows.data(), 128, 16, 128, columns.data())));
    rows[i] = before;
  }
}

TEST_P(PackKernelTest, Bf16AndInt8MatchTheReferenceBitForBit) {
  for (unsigned seed = 1; seed < 6; ++seed) {
    const Columns columns = awkward_columns(seed);
    Block<kBlockBytesBf16> bf16, expected_bf16;
    level().pack_bf16(columns.data(), bf16.data());
    reference().pack_bf16(columns.data(), expected_bf16.data());
    EXPECT_EQ(bf16, expected_bf16);
    Block<kBlockBytesInt8> int8, expected_int8;
    level().pack_int8(columns.data(), int8.data());
    reference().pack_int8(columns.data(), expected_int8.data());
    EXPECT_EQ(int8, expected_int8);
  }
}

TEST_P(PackKernelTest, Int4MatchesTheReferenceBitForBit) {
  std::vector<float> importance = random_row(kBlock, 9);
  for (float& v : importance) v = 0.01f + v * v;
  for (unsigned seed = 1; seed < 4; ++seed) {
    const Columns columns = awkward_columns(seed);
    for (const bool even : {false, true}) {
      const Int4Levels levels = some_levels(even);
      for (const float* weights : {static_cast<float*>(nullptr), importance.data()}) {
        for (const int n_cols : {1, 31, 32, 33, 100, 128}) {
          Block<kBlockBytesInt4> got, expected;
          level().pack_int4(columns.data(), n_cols, levels, weights, got.data());
          reference().pack_int4(columns.data(), n_cols, levels, weights, expected.data());
          EXPECT_EQ(got, expected) << n_cols;
        }
      }
    }
  }
}

LEYDEN_FOR_EVERY_ISA(PackKernelTest);

std::uint16_t scale_code(const std::byte* block, int row) {
  std::uint16_t code;
  std::memcpy(&code, block + row * 2, sizeof code);
  return code;
}

/// Scale and code of row 0's first group when its largest weight is `largest`.
TEST(PackReferenceTest, Int8ScalesAreRoundedToFp16AndSubnormalOnesUp) {
  const auto packed = [](float largest) {
    Columns columns = {};
    columns[0] = largest;
    Block<kBlockBytesInt8> block;
    scalar::pack_int8(columns.data(), block.data());
    return std::pair(scale_code(block.data(), 0),
                     static_cast<int>(block.bytes[kBlockScaleBytes]) - 128);
  };
  EXPECT_EQ(packed(127.0f), std::pair(std::uint16_t{0x3c00}, 127));
  EXPECT_EQ(packed(-127.0f), std::pair(std::uint16_t{0x3c00}, -127));
  EXPECT_EQ(packed(127.0f * 65504.0f), std::pair(std::uint16_t{0x7bff}, 127));
  EXPECT_EQ(packed(127.0f * 0x1p-14f), std::pair(std::uint16_t{0x0400}, 127));
  EXPECT_EQ(packed(127.0f * 0x1.4p-24f), std::pair(std::uint16_t{2}, 79));  // 158.75 / 2
  EXPECT_EQ(packed(1e-6f), std::pair(std::uint16_t{1}, 17));
  EXPECT_EQ(packed(0.0f), std::pair(std::uint16_t{0}, 0));
}

TEST(PackReferenceTest, Int4ComesWithinAPercentOfTheBestScaleOfAFineGrid) {
  const Int4Levels levels = some_levels(false);
  Columns columns;
  const std::vector<float> values = random_row(kBlock * kTileRows, 4);
  std::copy(values.begin(), values.end(), columns.begin());
  Block<kBlockBytesInt4> block;
  scalar::pack_int4(columns.data(), kBlock, levels, nullptr, block.data());

  double found = 0, best = 0;
  for (int r = 0; r < kTileRows; ++r) {
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      const auto error_of = [&](const auto& level_of, double scale) {
        double sum = 0;
        for (int k = 0; k < kGroup; ++k) {
          const double w = columns[std::size_t((g * kGroup + k) * kTileRows + r)];
          sum += std::pow(w - scale * level_of(k, w / scale), 2);
        }
        return sum;
      };
      const auto nearest = [&](int, double t) {
        return *std::min_element(
            std::begin(levels.level), std::end(levels.level),
            [&](float a, float b) { return std::abs(a - t) < std::abs(b - t); });
      };
      double largest = 0, least = 1e30;
      for (int k = 0; k < kGroup; ++k) {
        const double w = columns[std::size_t((g * kGroup + k) * kTileRows + r)];
        largest = std::max(largest, std::abs(w));
      }
      for (double share = 0.5; share < 2; share += 0.002) {
        least = std::min(least, error_of(nearest, largest / (63 * share)));
        least = std::min(least, error_of(nearest, -largest / (63 * share)));
      }
      best += least;
      const std::uint16_t code = scale_code(block.data() + g * kTileRows * 2, r);
      const double size = std::ldexp(1024 + (code & 0x3ff), (code >> 10 & 31) - 25);
      const auto stored = [&](int k, double) {
        const int column = g * kGroup + k;
        const auto byte = static_cast<int>(
            block.bytes[kBlockScaleBytes + std::size_t((column / 8 * kTileRows + r) * 4 + k % 4)]);
        return levels.level[k % 8 < 4 ? byte & 15 : byte >> 4];
      };
      found += error_of(stored, (code & 0x8000) != 0 ? -size : size);
    }
  }
  EXPECT_LT(std::sqrt(found / best), 1.01);
}

}  // namespace
}  // namespace leyden::simd
