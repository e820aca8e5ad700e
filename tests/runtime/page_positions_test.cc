#include "src/runtime/page_positions.h"

#include <gtest/gtest.h>

#include <cstring>

#include "src/runtime/memory.h"
#include "src/runtime/sightings.h"

namespace leyden::runtime {
namespace {

constexpr std::size_t kBytes = (std::size_t{12} << 20) + 100;

/// On whatever nodes this machine has: one here, several on the rig (tests/numa).
TEST(PagePositions, BoundMemoryLiesOnItsNodeWhoeverTouchesIt) {
  for (const Node& node : read_topology().nodes) {
    for (const MemoryHome::Kind kind : {MemoryHome::Kind::kOn, MemoryHome::Kind::kNear}) {
      for (const HugePages pages : {HugePages::kThp, HugePages::kOff}) {
        const Memory memory(kBytes, pages, {kind, {node.os_index}});
        if (!memory.is_bound()) GTEST_SKIP() << "binding memory isn't permitted here";
        std::memset(memory.data(), 1, memory.size());
        const PagePositions found = sample_pages(memory.data(), memory.size(), 1000);
        if (found.error != 0) GTEST_SKIP() << "move_pages isn't permitted here";
        EXPECT_EQ(found.known(), 1000);
        EXPECT_EQ(found.on_node.size(), 1u);
        EXPECT_TRUE(found.on_node.contains(node.os_index)) << "node " << node.os_index;
      }
    }
  }
}

TEST(PagePositions, InterleavedMemoryLiesOnAllNodes) {
  MemoryHome all = {MemoryHome::Kind::kInterleave, {}};
  for (const Node& node : read_topology().nodes) all.nodes.push_back(node.os_index);
  const Memory memory(kBytes, HugePages::kOff, all);
  if (!memory.is_bound()) GTEST_SKIP() << "binding memory isn't permitted here";
  std::memset(memory.data(), 1, memory.size());
  const PagePositions found = sample_pages(memory.data(), memory.size(), 1 << 20);
  if (found.error != 0) GTEST_SKIP() << "move_pages isn't permitted here";
  EXPECT_EQ(found.known(), static_cast<std::int64_t>((kBytes + 4095) / 4096));
  for (const int node : all.nodes) {
    EXPECT_NEAR(static_cast<double>(found.on_node.at(node)),
                static_cast<double>(found.known()) / static_cast<double>(all.nodes.size()), 2);
  }
}

TEST(PagePositions, UntouchedPagesAreNowhere) {
  const Memory memory(kBytes, HugePages::kOff);
  const PagePositions found = sample_pages(memory.data(), memory.size(), 10);
  if (found.error != 0) GTEST_SKIP() << "move_pages isn't permitted here";
  EXPECT_EQ(found.absent + found.unknown, 10);  // kernels differ in how they say it
  EXPECT_EQ(found.known(), 0);
  EXPECT_EQ(sample_pages(memory.data(), 0, 10).known(), 0);
}

TEST(Sightings, WorkersRunWhereTheyAreBound) {
  ThreadTeam team(plan_crew(read_topology(), {}));
  const ThreadBinding bound = team.bind_caller();
  const std::vector<Sighting> seen = see_workers(team);
  ASSERT_EQ(seen.size(), static_cast<std::size_t>(team.size()));
  for (const Sighting& s : seen) {
    if (s.cpu < 0 || s.planned_cpu < 0) continue;
    EXPECT_EQ(s.cpu, s.planned_cpu) << "worker " << s.worker;
  }
}

}  // namespace
}  // namespace leyden::runtime
