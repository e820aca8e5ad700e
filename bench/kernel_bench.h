#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "simd/kernels.h"
#include "src/runtime/elapsed.h"
#include "src/runtime/memory.h"
#include "src/runtime/node_buffers.h"
#include "src/runtime/thread_team.h"
#include "src/runtime/topology.h"

// What the benchmarks of kernels share: teams, the limits they compare themselves with, main.
namespace leyden {

using runtime::Clock, runtime::seconds_since;

/// A team as leyden makes it, bound to cores. What runs it binds the caller, too (bind_caller).
inline runtime::ThreadTeam& team_of(int n_threads) {
  static std::map<int, std::unique_ptr<runtime::ThreadTeam>> teams;
  std::unique_ptr<runtime::ThreadTeam>& team = teams[n_threads];
  if (!team) {
    team = std::make_unique<runtime::ThreadTeam>(
        runtime::plan_crew(runtime::read_topology(), {n_threads, "", ""}));
  }
  return *team;
}

/// One thread, two, and as many as leyden takes by itself: one for every core.
inline std::set<int> thread_counts() { return {1, 2, runtime::read_topology().usable_cores()}; }

/// Memory larger than the caches, in equal parts on the nodes of a team, in which `pattern` repeats
/// itself. Teams of the same nodes share it. bytes: of all parts.
inline const runtime::NodeBuffers& memory_of(const runtime::ThreadTeam& team, std::size_t bytes,
                                             std::uint64_t pattern) {
  using Key = std::tuple<std::vector<int>, std::size_t, std::uint64_t>;
  static std::map<Key, runtime::NodeBuffers> all;
  const runtime::Crew& crew = team.crew();
  runtime::NodeBuffers& memory = all[{crew.nodes, bytes, pattern}];
  if (memory.n_nodes() == 0) {
    memory = runtime::NodeBuffers(crew, bytes / static_cast<std::size_t>(crew.n_nodes()));
    for (int node = 0; node < memory.n_nodes(); ++node) {
      std::byte* const data = memory.on(node);
      for (std::size_t i = 0; i < memory.bytes(); i += 8) std::memcpy(data + i, &pattern, 8);
    }
  }
  return memory;
}

/// What a team reads and multiplies at most with the kernels of a level: the best of all
/// measurements. Measure before and after an entry, because hosts drift.
class Limits {
 public:
  /// memory: on the team's nodes, which read their own; larger than the caches and touched before.
  /// is_integer: which products count.
  Limits(runtime::ThreadTeam& team, const simd::Kernels& kernels,
         const runtime::NodeBuffers& memory, bool is_integer)
      : team_(&team), kernels_(&kernels), memory_(&memory), is_integer_(is_integer) {}

  void measure() {
    constexpr std::size_t kPiece = std::size_t{4} << 20;
    std::atomic<std::uint64_t> sink = 0;
    const simd::Lead lead = simd::lead_of_cpu();
    const auto n_pieces = static_cast<int>(memory_->bytes() / kPiece);  // of a node
    Clock::time_point start = Clock::now();
    team_->run(
        n_pieces * memory_->n_nodes(),
        [&](int piece, int) {
          const auto offset = static_cast<std::size_t>(piece % n_pieces) * kPiece;
          sink += kernels_->read_all(memory_->on(piece / n_pieces) + offset, kPiece, lead);
        },
        [&](int piece) { return piece / n_pieces; });
    const double bytes = static_cast<double>(kPiece) * n_pieces * memory_->n_nodes();
    read_gb_per_second_ = std::max(read_gb_per_second_, bytes / 1e9 / seconds_since(start));

    constexpr std::int64_t kRounds = 20000;
    std::atomic<std::int64_t> macs = 0;
    start = Clock::now();
    team_->run(32 * team_->size(), [&](int, int) {
      std::int32_t integer_sink = 0;
      float float_sink = 0;
      macs += kRounds * (is_integer_ ? kernels_->integer_peak(kRounds, &integer_sink)
                                     : kernels_->float_peak(kRounds, &float_sink));
    });
    gmac_per_second_ =
        std::max(gmac_per_second_, static_cast<double>(macs) / 1e9 / seconds_since(start));
  }

  /// Counters of an entry that took `seconds` for `bytes` read and `macs` multiplications.
  void report(benchmark::State& state, double seconds, double bytes, double macs) const {
    const double gb = bytes / 1e9 / seconds, gmac = macs / 1e9 / seconds;
    state.counters["GB/s"] = gb;
    state.counters["of_read_%"] = 100 * gb / read_gb_per_second_;
    state.counters["GMAC/s"] = gmac;
    state.counters["of_peak_%"] = 100 * gmac / gmac_per_second_;
  }

 private:
  runtime::ThreadTeam* team_;
  const simd::Kernels* kernels_;
  const runtime::NodeBuffers* memory_;
  bool is_integer_;
  double read_gb_per_second_ = 0, gmac_per_second_ = 0;
};

/// Bytes a second that one thread reads with the kernels of a level out of as much memory as a
/// second-level cache holds.
inline double cache_rate(const simd::Kernels& kernels) {
  constexpr std::size_t kCacheBytes = std::size_t{256} << 10;
  static const runtime::Array<std::byte> memory(kCacheBytes);
  constexpr int kPasses = 2000;
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const Clock::time_point start = Clock::now();
    for (int pass = 0; pass < kPasses; ++pass) {
      benchmark::DoNotOptimize(kernels.read_all(memory.data(), kCacheBytes, simd::Lead::kL1));
    }
    const double seconds = seconds_since(start);
    best = std::max(best, kPasses * static_cast<double>(kCacheBytes) / seconds);
  }
  return best;
}

/// An entry of one thread: `run` reads and writes `bytes` that a cache holds. Its share of
/// cache_rate says how far it is from being limited by that; what multiplies, divides or compares
/// much isn't, and no other limit of it is measured.
template <class Run>
void run_in_cache(benchmark::State& state, const simd::Kernels& kernels, double bytes,
                  const Run& run) {
  const double limit = cache_rate(kernels);
  const Clock::time_point start = Clock::now();
  for (auto _ : state) run();
  const double seconds = seconds_since(start);
  const double rate = static_cast<double>(state.iterations()) * bytes / seconds;
  state.counters["GB/s"] = rate / 1e9;
  state.counters["of_cache_%"] = 100 * rate / limit;
}

/// What main does after it has registered the entries.
inline int run_benchmarks(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace leyden
