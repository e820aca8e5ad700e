#include "src/self_check.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace leyden {
namespace {

TEST(SelfCheckTest, AQuietMachineIsNoCauseForComplaint) {
  const CpuTimes before = {.wall = 10, .own = 3, .others = 7, .stolen = 1};
  const CpuTimes after = {.wall = 20, .own = 23, .others = 7.4, .stolen = 1.4};
  EXPECT_EQ(complain_of_others(before, after), std::nullopt);
}

TEST(SelfCheckTest, NeighboursAndHostsAreNamedWithWhatTheyTook) {
  const CpuTimes before = {.wall = 10, .own = 3, .others = 7, .stolen = 1};
  const auto neighbour =
      complain_of_others(before, {.wall = 20, .own = 13, .others = 17, .stolen = 1});
  ASSERT_TRUE(neighbour);
  EXPECT_EQ(*neighbour, "other processes used 1.00 cores meanwhile");
  const auto host = complain_of_others(before, {.wall = 20, .own = 13, .others = 7, .stolen = 6});
  ASSERT_TRUE(host);
  EXPECT_EQ(*host, "the host of this virtual machine took away 0.50 cores meanwhile");
}

TEST(SelfCheckTest, OwnWorkIsNotTakenForOthers) {
  const CpuTimes before = cpu_times();
  CpuTimes after = before;
  while (after.wall - before.wall < 0.2) after = cpu_times();
  EXPECT_GT(after.own - before.own, 0.0);
  // Others may be running a whole test suite, but this process is not among them.
  EXPECT_GE(after.others - before.others, -0.1);
}

TEST(SelfCheckTest, SmallPagesAreNoticed) {
  EXPECT_EQ(complain_of_small_pages({.bytes = 10e9, .huge_bytes = 9.5e9}), std::nullopt);
  EXPECT_EQ(complain_of_small_pages({.bytes = 40e6, .huge_bytes = 0}), std::nullopt);
  const auto complaint = complain_of_small_pages({.bytes = 10e9, .huge_bytes = 4e9});
  ASSERT_TRUE(complaint);
  EXPECT_NE(complaint->find("6.0 of 10.0 GB lie in 4 KiB pages"), std::string::npos) << *complaint;
}

TEST(SelfCheckTest, ResidentMemoryGrowsWithWhatIsTouched) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  const double before = resident_memory().bytes;
  const auto memory = std::make_unique_for_overwrite<char[]>(kBytes);
  std::memset(memory.get(), 1, kBytes);
  EXPECT_GE(resident_memory().bytes - before, 0.9 * kBytes) << memory[kBytes - 1];
}

}  // namespace
}  // namespace leyden
