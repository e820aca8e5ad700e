// What a fork-join costs: ThreadTeam::run with one piece of no work per thread, by number of
// threads. "quiet" runs come one after the other, as the phases of a layer do; "after 5 us" have as
// much serial work between them.
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <chrono>

#include "src/runtime/elapsed.h"
#include "src/runtime/thread_team.h"
#include "src/runtime/topology.h"

namespace leyden::runtime {
namespace {

void spin_for(std::chrono::nanoseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) _mm_pause();
}

void fork_join(benchmark::State& state, std::chrono::nanoseconds gap) {
  ThreadTeam team(plan_crew(read_topology(), {static_cast<int>(state.range(0)), "", ""}));
  const ThreadBinding bound = team.bind_caller();
  for (auto _ : state) {
    if (gap.count() > 0) spin_for(gap);
    const auto start = Clock::now();
    team.run(team.size(), [](int piece, int) { benchmark::DoNotOptimize(piece); });
    state.SetIterationTime(seconds_since(start));
  }
}

void one_to_all_threads(benchmark::internal::Benchmark* bench) {
  const int n = read_topology().n_cpus();
  for (int threads = 1; threads < n; threads = threads < 4 ? threads + 1 : threads * 2) {
    bench->Arg(threads);
  }
  bench->Arg(n);
  bench->ArgName("threads")->UseManualTime()->Iterations(200000)->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(fork_join, quiet, std::chrono::nanoseconds(0))->Apply(one_to_all_threads);
BENCHMARK_CAPTURE(fork_join, after_5_us, std::chrono::microseconds(5))->Apply(one_to_all_threads);

}  // namespace
}  // namespace leyden::runtime
