#include "quant/weight_format.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>

#include "tests/quant/weight_formats.h"

namespace leyden::quant {
namespace {

TEST(WeightFormatTest, NamesAndFormatsMapBothWays) {
  for (const WeightFormat format : kWeightFormats)
    EXPECT_EQ(weight_format_named(name(format)), format);
  EXPECT_EQ(name(WeightFormat::kInt4), "int4");
  EXPECT_EQ(weight_format_named("int5"), std::nullopt);
  EXPECT_EQ(weight_format_named(""), std::nullopt);
}

TEST(WeightFormatTest, BitsPerWeightCountTheScales) {
  EXPECT_EQ(bits_per_weight(WeightFormat::kF32), 32.0);
  EXPECT_EQ(bits_per_weight(WeightFormat::kBf16), 16.0);
  EXPECT_EQ(bits_per_weight(WeightFormat::kInt8), 8.5);
  EXPECT_EQ(bits_per_weight(WeightFormat::kInt4), 4.5);
}

TEST(WeightFormatTest, PackedSizesRoundUpToWholeTilesAndBlocks) {
  EXPECT_EQ(matrix_bytes(WeightFormat::kF32, 1, 1), 16u * 128 * 4);
  EXPECT_EQ(matrix_bytes(WeightFormat::kBf16, 16, 128), 16u * 128 * 2);
  EXPECT_EQ(matrix_bytes(WeightFormat::kInt8, 17, 129), 4u * (128 + 16 * 128));
  EXPECT_EQ(matrix_bytes(WeightFormat::kInt4, 17, 129), 64 + 4u * (128 + 16 * 64));
  // A gate of V3.2's experts: 4.5 bits a weight and one line of levels.
  EXPECT_EQ(matrix_bytes(WeightFormat::kInt4, 2048, 7168), 64 + 2048u * 7168 * 9 / 16);
  for (const WeightFormat format : kWeightFormats) {
    for (const int rows : {1, 15, 16, 17, 576}) {
      EXPECT_EQ(matrix_bytes(format, rows, 10944) % 64, 0u) << name(format);
      EXPECT_EQ(stack_bytes(format, 3, rows, 200), 3 * matrix_bytes(format, rows, 200));
    }
  }
}

TEST(WeightFormatTest, RowMajorSizesRoundUpToWholeLines) {
  EXPECT_EQ(rows_bytes(WeightFormat::kF32, 1, 1), 64u);
  EXPECT_EQ(rows_bytes(WeightFormat::kF32, 4, 4), 64u);
  EXPECT_EQ(rows_bytes(WeightFormat::kBf16, 3, 11), 128u);
  EXPECT_THROW(rows_bytes(WeightFormat::kInt8, 4, 4), std::invalid_argument);
}

TEST(WeightFormatTest, ImpossibleSizesAreRefused) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (const WeightFormat format : kWeightFormats) {
    EXPECT_THROW(matrix_bytes(format, 0, 5), std::length_error);
    EXPECT_THROW(matrix_bytes(format, 5, -1), std::length_error);
    EXPECT_THROW(matrix_bytes(format, kHuge, kHuge), std::length_error);
    EXPECT_THROW(matrix_bytes(format, std::int64_t{1} << 31, 1), std::length_error);
    EXPECT_THROW(stack_bytes(format, 1 << 20, 1 << 30, 1 << 30), std::length_error);
    EXPECT_THROW(matrix_bytes(format, 1, kHuge), std::length_error);
    EXPECT_THROW(stack_bytes(format, kHuge, 16, 128), std::length_error);
    EXPECT_THROW(stack_bytes(format, 0, 16, 128), std::length_error);
  }
  EXPECT_THROW(rows_bytes(WeightFormat::kF32, kHuge, 2), std::length_error);
  EXPECT_THROW(rows_bytes(WeightFormat::kF32, 0, 2), std::length_error);
}

TEST(WeightFormatTest, ViewsFindTilesLevelsAndStackMembers) {
  alignas(64) std::byte memory[2 * (64 + 4 * 1152)] = {};
  const MatrixStack stack = matrix_stack(WeightFormat::kInt4, 2, 20, 200, memory);
  EXPECT_EQ(stack.stride_bytes, 64u + 4 * 1152);
  const MatrixView second = stack[1];
  EXPECT_EQ(second.n_tiles(), 2);
  EXPECT_EQ(second.n_blocks(), 2);
  EXPECT_EQ(second.tile_bytes(), 2u * 1152);
  EXPECT_EQ(second.data, memory + stack.stride_bytes);
  EXPECT_EQ(second.tile(1), second.data + 64 + 2 * 1152);
  EXPECT_EQ(reinterpret_cast<const std::byte*>(second.levels()), second.data);

  const MatrixView int8 = {.format = WeightFormat::kInt8, .rows = 16, .cols = 128, .data = memory};
  EXPECT_EQ(int8.levels(), nullptr);
  EXPECT_EQ(int8.tile(0), memory);

  const RowsView rows = {.format = WeightFormat::kBf16, .rows = 4, .cols = 5, .data = memory};
  EXPECT_EQ(rows.row(3), memory + 30);
}

}  // namespace
}  // namespace leyden::quant
