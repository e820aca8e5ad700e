#include "tests/simd/emulated/tiles.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <thread>

namespace leyden::simd::emulated {
namespace {

/// As LDTILECFG reads it. Sums of 3 rows and 2 columns in register 0, a in 1, b of 2 rows in 2.
struct Shapes {
  std::uint8_t palette = 1, reserved[15] = {};
  std::uint16_t row_bytes[16] = {8, 8, 8};
  std::uint8_t rows[16] = {3, 3, 2};
};
static_assert(sizeof(Shapes) == 64);

TEST(EmulatedTiles, MultiplyBytesAsTheirSignsSay) {
  const Shapes shapes;
  ldtilecfg(&shapes);
  const std::uint8_t a[3][8] = {{255, 1, 0, 0, 0, 0, 0, 2}, {}, {0, 0, 128}};
  const std::uint8_t b[2][8] = {{254, 3, 255, 0, 7, 0, 1}, {9, 9, 9, 128, 0, 0, 0, 1}};
  const std::int32_t start[3][2] = {{1000, 0}, {-5, 6}, {}};
  using Sums = std::array<std::int32_t, 6>;
  const auto sums_of = [&](void (*dot)(int, int, int)) {
    tileloadd(0, start, 8);
    tileloadd(1, a, 8);
    tileloadd(2, b, 8);
    dot(0, 1, 2);
    Sums sums;
    tilestored(0, sums.data(), 8);
    return sums;
  };
  EXPECT_EQ(sums_of(tdpbssd), (Sums{1000 + 2 + 3 - 256, -7 + 2, -5, 6, 128, -128}));
  EXPECT_EQ(sums_of(tdpbsud), (Sums{1000 - 254 + 3 + 256, -7 + 2, -5, 6, -128 * 255, -128}));
  EXPECT_EQ(sums_of(tdpbusd), (Sums{1000 - 510 + 3 - 256, 1785 + 2, -5, 6, -128, 128}));
  EXPECT_EQ(sums_of(tdpbuud), (Sums{1000 + 64770 + 3 + 256, 1785 + 2, -5, 6, 128 * 255, 128}));
  tilerelease();
}

TEST(EmulatedTilesDeathTest, FaultsEndTheProgram) {
  const Shapes good;
  std::uint8_t bytes[1024] = {};
  const auto configure = [](Shapes shapes) { ldtilecfg(&shapes); };
  EXPECT_DEATH(tilezero(0), "before ldtilecfg");
  EXPECT_DEATH(std::thread([&] { ldtilecfg(&good); }).join(), "left configured");
  EXPECT_DEATH(configure({.palette = 2}), "palette");
  EXPECT_DEATH(configure({.reserved = {0, 1}}), "reserved");
  EXPECT_DEATH(configure({.rows = {3, 3, 2, 0, 0, 0, 0, 0, 1}}), "reserved");
  EXPECT_DEATH(configure({.rows = {17, 3, 2}}), "too large");
  EXPECT_DEATH(configure({.row_bytes = {68, 8, 8}}), "too large");
  EXPECT_DEATH(configure({.rows = {3, 0, 2}}), "without");

  ldtilecfg(&good);
  EXPECT_DEATH(tileloadd(3, bytes, 64), "without a shape");
  EXPECT_DEATH(tileloadd(8, bytes, 64), "no such register");
  EXPECT_DEATH(tdpbssd(0, 1, 1), "with itself");
  EXPECT_DEATH(tdpbssd(0, 2, 1), "differ in rows");
  tilerelease();
  EXPECT_DEATH(tilestored(0, bytes, 64), "before ldtilecfg");
  const auto multiply = [&](Shapes shapes) {
    ldtilecfg(&shapes);
    tdpbf16ps(0, 1, 2);
  };
  EXPECT_DEATH(multiply({.row_bytes = {4, 8, 8}}), "differ in columns");
  EXPECT_DEATH(multiply({.rows = {3, 3, 3}}), "other columns than b rows");
  EXPECT_DEATH(multiply({.row_bytes = {6, 8, 6}}), "whole columns");
}

}  // namespace
}  // namespace leyden::simd::emulated
