#include "src/runtime/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace leyden::runtime {
namespace {

class ThreadTeamTest : public testing::TestWithParam<int> {};

TEST_P(ThreadTeamTest, DoesEveryPieceOnce) {
  ThreadTeam team(GetParam());
  for (const int n_pieces : {0, 1, 2, 7, 64, 1000}) {
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(n_pieces));
    team.run(n_pieces, [&](int piece, int) { ++done[static_cast<std::size_t>(piece)]; });
    for (const auto& count : done) EXPECT_EQ(count, 1);
  }
}

TEST_P(ThreadTeamTest, MakesTheWritesOfAllPiecesVisible) {
  ThreadTeam team(GetParam());
  std::vector<int> values(257);
  for (int round = 1; round <= 500; ++round) {
    // Plain writes: ThreadSanitizer would see a missing happens-before.
    team.run(static_cast<int>(values.size()),
             [&](int piece, int) { values[static_cast<std::size_t>(piece)] += 1; });
    ASSERT_EQ(std::accumulate(values.begin(), values.end(), 0),
              round * static_cast<int>(values.size()));
  }
}

TEST_P(ThreadTeamTest, GivesNoTwoRunningPiecesTheSameWorker) {
  ThreadTeam team(GetParam());
  std::vector<std::atomic<bool>> busy(static_cast<std::size_t>(team.size()));
  std::atomic<int> clashes = 0;
  for (int round = 0; round < 100; ++round) {
    team.run(50, [&](int, int worker) {
      if (busy[static_cast<std::size_t>(worker)].exchange(true)) ++clashes;
      busy[static_cast<std::size_t>(worker)] = false;
    });
  }
  EXPECT_EQ(clashes, 0);
}

TEST_P(ThreadTeamTest, ThrowsWhatAPieceThrewAndGoesOn) {
  ThreadTeam team(GetParam());
  EXPECT_THROW(team.run(20,
                        [](int piece, int) {
                          if (piece == 11) throw std::runtime_error("piece 11");
                        }),
               std::runtime_error);
  std::atomic<int> done = 0;
  team.run(20, [&](int, int) { ++done; });
  EXPECT_EQ(done, 20);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadTeamTest, testing::Values(1, 2, 3, 7));

TEST(ThreadTeam, AnIdleTeamDoesntKeepTheWorkersOfAnother) {
  ThreadTeam idle(2);
  idle.run(8, [](int, int) {});
  ThreadTeam busy(2);
  // Two pieces that wait for each other meet only if two threads work on them.
  std::atomic<int> arrived = 0;
  std::atomic<int> both = 0;
  busy.run(2, [&](int, int) {
    ++arrived;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (arrived < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    if (arrived == 2) ++both;
  });
  EXPECT_EQ(both, 2);
}

TEST(ThreadTeam, ManyCanExistOneAfterTheOther) {
  for (int i = 0; i < 20; ++i) {
    ThreadTeam team(1 + i % 4);
    std::atomic<int> done = 0;
    team.run(8, [&](int, int) { ++done; });
    ASSERT_EQ(done, 8);
  }
}

}  // namespace
}  // namespace leyden::runtime
