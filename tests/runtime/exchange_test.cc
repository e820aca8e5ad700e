#include "src/runtime/exchange.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "src/runtime/thread_team.h"
#include "tests/runtime/crew_of.h"

namespace leyden::runtime {
namespace {

TEST(Exchange, EveryNodeReadsTheNewestContentsInItsOwnBuffer) {
  constexpr std::size_t kBytes = 10000;
  ThreadTeam team(crew_of({2, 3, 1}));
  Exchange exchange(team.crew(), kBytes);
  for (int round = 0; round < 300; ++round) {
    const std::size_t used = kBytes - static_cast<std::size_t>(round);
    const auto value = static_cast<std::byte>(round);
    std::fill_n(exchange.data(), used, value);
    exchange.begin(used);
    std::vector<int> wrong(static_cast<std::size_t>(team.size()));
    std::vector<int> from(static_cast<std::size_t>(team.size()));
    team.run(4 * team.size(), [&](int piece, int worker) {
      const int node = team.node_of(worker);
      // Ranges that share parts, and one with all of them.
      const std::size_t at = piece % 2 == 0 ? static_cast<std::size_t>(piece) * 300 : 0;
      const std::size_t bytes = piece % 2 == 0 ? 1000 : used;
      const int source = exchange.source(node, at, bytes);
      const std::byte* const read = exchange.on(source) + at;
      const auto i = static_cast<std::size_t>(worker);
      wrong[i] +=
          static_cast<int>(bytes - static_cast<std::size_t>(std::count(read, read + bytes, value)));
      from[i] += source != node && source != 0;
    });
    ASSERT_EQ(std::ranges::count(wrong, 0), team.size()) << round;
    ASSERT_EQ(std::ranges::count(from, 0), team.size()) << round;
  }
}

TEST(Exchange, CopiesWhatIsReadOnceAndNothingElse) {
  constexpr std::size_t kBytes = 3 * 4096;
  const Crew crew = crew_of({2, 3, 1});
  Exchange exchange(crew, kBytes);
  std::fill_n(exchange.data(), kBytes, std::byte{1});
  exchange.begin(kBytes);
  EXPECT_EQ(exchange.source(2, 5000, 100), 2);
  EXPECT_EQ(exchange.on(2)[5000], std::byte{1});
  EXPECT_EQ(exchange.on(2)[0], std::byte{0});
  EXPECT_EQ(exchange.on(2)[kBytes - 1], std::byte{0});
  EXPECT_EQ(exchange.on(1)[5000], std::byte{0});
  // It is not copied again: what a node has is what it reads.
  std::fill_n(exchange.data(), kBytes, std::byte{2});
  EXPECT_EQ(exchange.source(2, 5000, 100), 2);
  EXPECT_EQ(exchange.on(2)[5000], std::byte{1});
  exchange.begin(kBytes);
  EXPECT_EQ(exchange.source(2, 5000, 100), 2);
  EXPECT_EQ(exchange.on(2)[5000], std::byte{2});
}

TEST(Exchange, IsOneBufferOnOneNode) {
  Exchange exchange(unbound_crew(3), 5000);
  EXPECT_EQ(exchange.n_nodes(), 1);
  exchange.begin(5000);
  EXPECT_EQ(exchange.source(0, 0, 5000), 0);
  EXPECT_EQ(exchange.on(0), exchange.data());
}

}  // namespace
}  // namespace leyden::runtime
