#include "src/runtime/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>

namespace leyden::runtime {
namespace {

TEST(Memory, IsZeroedAndAlignedToHugePages) {
  for (const HugePages pages : {HugePages::kAuto, HugePages::kThp, HugePages::kOff}) {
    const Memory memory((std::size_t{5} << 20) + 123, pages);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % (2u << 20), 0u)
        << static_cast<int>(pages);
    for (std::size_t i = 0; i < memory.size(); i += 4096) {
      ASSERT_EQ(memory.data()[i], std::byte{0});
    }
    memory.data()[memory.size() - 1] = std::byte{1};
  }
}

TEST(Memory, RefusesWhatCantBe) {
  EXPECT_THROW(Memory(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(Memory(SIZE_MAX / 2 - 5), std::bad_alloc);
}

/// The flags of the mapping that has the address (proc(5), VmFlags).
std::string flags_at(const std::byte* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool is_inside = false;
  while (std::getline(smaps, line)) {
    std::uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      is_inside = begin <= wanted && wanted < end;
    }
    if (is_inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

TEST(Memory, SmallerRegionsAskForHugePagesToo) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) GTEST_SKIP();
  const Memory small(700 << 10), plain(700 << 10, HugePages::kOff), large(3 << 20);
  EXPECT_THAT(flags_at(small.data()), testing::HasSubstr(" hg "));
  EXPECT_THAT(flags_at(large.data()), testing::HasSubstr(" hg "));
  EXPECT_THAT(flags_at(plain.data()), testing::HasSubstr(" nh "));
}

TEST(Memory, MovesWithoutCopying) {
  Memory a(4096);
  std::byte* const data = a.data();
  Memory b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(Memory().data(), nullptr);
}

TEST(Memory, IsOnlyCountedForATally) {
  std::size_t counted = 0;
  {
    const MemoryTally tally;
    const Memory memory(std::size_t{1} << 45);  // more than any machine has
    const Array<float> array(3);
    EXPECT_EQ(memory.size(), std::size_t{1} << 45);
    counted = tally.bytes();
  }
  EXPECT_EQ(counted, (std::size_t{1} << 45) + 4096);
  const Memory real(5);
  real.data()[4] = std::byte{1};
}

}  // namespace
}  // namespace leyden::runtime
