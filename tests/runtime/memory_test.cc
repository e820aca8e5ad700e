#include "src/runtime/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>

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
