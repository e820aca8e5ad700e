#include "simd/peak.h"

#include <array>
#include <cstring>

#include "simd/layout.h"
#include "tests/simd/every_isa.h"

namespace leyden::simd {
namespace {

class PeakTest : public EveryIsa {
 protected:
  /// What 64 integer products add: 4 * (1 + 4 + .. + 16 * 16), or 3 * (0 + .. + 63).
  int of_64_products() const { return isa() == Isa::kScalar ? 6048 : 5984; }
};

TEST_P(PeakTest, WhatIsReadDependsOnEveryByteAndNoOther) {
  constexpr std::size_t kMostBytes = 768;
  alignas(kLine) std::array<std::byte, kMostBytes + kLine> data;
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 37);
  for (const Lead lead : {Lead::kL1, Lead::kTwoRuns}) {
    for (const std::size_t bytes : {std::size_t{512}, kMostBytes}) {
      const std::uint64_t whole = level().read_all(data.data(), bytes, lead);
      for (std::size_t i = 0; i < data.size(); ++i) {
        data[i] ^= std::byte{1};
        EXPECT_EQ(level().read_all(data.data(), bytes, lead) != whole, i < bytes) << i;
        data[i] ^= std::byte{1};
      }
    }
    EXPECT_EQ(level().read_all(data.data(), 0, lead), 0u);
  }
}

TEST_P(PeakTest, ARoundOfIntegerProductsHasAsManyAsItSays) {
  std::int32_t before = 0, after = 0;
  const std::int64_t macs = level().integer_peak(10, &before);
  EXPECT_EQ(level().integer_peak(11, &after), macs);
  EXPECT_EQ((after - before) * 64, macs * of_64_products());
}

/// Each adds 1, but for the reference, whose sums are the integer ones.
TEST_P(PeakTest, ARoundOfFloatProductsHasAsManyAsItSays) {
  float before = 0, after = 0;
  const std::int64_t macs = level().float_peak(10, &before);
  EXPECT_EQ(level().float_peak(11, &after), macs);
  const std::int64_t added = isa() == Isa::kScalar ? macs * of_64_products() / 64 : macs;
  EXPECT_EQ(after - before, static_cast<float>(added));
}

LEYDEN_FOR_EVERY_ISA(PeakTest);

}  // namespace
}  // namespace leyden::simd
