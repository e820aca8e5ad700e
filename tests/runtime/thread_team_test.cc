#include "src/runtime/thread_team.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/runtime/crew_of.h"

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

TEST_P(ThreadTeamTest, DoesTheOtherPiecesWhenOneThrows) {
  ThreadTeam team(GetParam());
  std::atomic<int> done = 0;
  EXPECT_THROW(team.run(20,
                        [&](int piece, int) {
                          if (piece == 11) throw std::runtime_error("piece 11");
                          ++done;
                        }),
               std::runtime_error);
  EXPECT_EQ(done, 19);
}

TEST(ThreadTeam, AForkedChildComputesAndLetsGoOfIt) {
  auto team = std::make_unique<ThreadTeam>(3);
  team->run(10, [](int, int) {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    std::atomic<int> done = 0;
    team->run(100, [&](int, int) { ++done; });
    team.reset();
    _exit(done == 100 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ThreadTeam, DoesEveryPieceOnceWhereverItsHomeIs) {
  for (const auto& sizes : {std::vector{1, 1}, std::vector{3, 1, 2}, std::vector{1, 2}}) {
    ThreadTeam team(crew_of(sizes));
    const auto n_nodes = static_cast<int>(sizes.size());
    for (int round = 0; round < 200; ++round) {
      const int n_pieces = round % 37;
      std::vector<int> done(static_cast<std::size_t>(n_pieces));
      team.run(
          n_pieces, [&](int piece, int) { ++done[static_cast<std::size_t>(piece)]; },
          // Some rounds leave nodes without pieces, some name nodes this crew doesn't have.
          [&](int piece) { return (piece * round) % (n_nodes + round % 2); });
      for (const int count : done) ASSERT_EQ(count, 1);
      std::atomic<int> plain = 0;
      team.run(n_pieces, [&](int, int) { ++plain; });
      ASSERT_EQ(plain, n_pieces);
    }
  }
}

TEST(ThreadTeam, ThreadsDoThePiecesOfTheirNodeFirst) {
  const Crew crew = crew_of({1, 1});
  ThreadTeam team(crew);
  // Each thread's first piece waits until both have begun, so each has all its choices.
  std::atomic<int> begun = 0, strangers = 0;
  std::vector<int> pieces_of(2);
  team.run(
      8,
      [&](int piece, int worker) {
        const auto w = static_cast<std::size_t>(worker);
        if (pieces_of[w]++ == 0) {
          if (piece % 2 != crew.workers[w].node) ++strangers;
          ++begun;
          const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
          while (begun < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        }
      },
      [](int piece) { return piece % 2; });
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(strangers, 0);
}

TEST(ThreadTeam, GivesTheCallerItsAffinityBack) {
  cpu_set_t before, within, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  ThreadTeam team(plan_crew(read_topology(), {}));
  {
    const ThreadBinding bound = team.bind_caller();
    ASSERT_EQ(sched_getaffinity(0, sizeof within, &within), 0);
    EXPECT_EQ(CPU_COUNT(&within), 1);
    EXPECT_TRUE(CPU_ISSET(team.crew().workers.front().cpu, &within));
  }
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
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

TEST(ThreadTeam, LeavesTheProgramTheThreadsItHad) {
  using oneapi::tbb::global_control;
  const auto allowed = [] {
    return global_control::active_value(global_control::max_allowed_parallelism);
  };
  const std::size_t before = allowed();
  {
    ThreadTeam team(3);
    ThreadTeam another(2);
    EXPECT_EQ(allowed(), before + 3);
    if (before > 1) {
      // Two tasks of the program's that wait for each other.
      std::atomic<int> arrived = 0, both = 0;
      oneapi::tbb::task_group tasks;
      for (int i = 0; i < 2; ++i) {
        tasks.run([&] {
          ++arrived;
          const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
          while (arrived < 2 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
          }
          if (arrived == 2) ++both;
        });
      }
      tasks.wait();
      EXPECT_EQ(both, 2);
    }
  }
  EXPECT_EQ(allowed(), before);
}

/// CPU time of all threads of this process.
std::chrono::microseconds time_used() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

TEST(ThreadTeam, NobodySpinsWhileThereIsNothingToDo) {
  ThreadTeam team(crew_of({3, 2}));
  team.run(8, [](int, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // all have gone to sleep
  const auto before = time_used();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_LT(time_used() - before, std::chrono::milliseconds(50));
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
