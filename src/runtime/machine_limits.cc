#include "src/runtime/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "src/runtime/available_memory.h"
#include "src/runtime/elapsed.h"
#include "src/runtime/memory.h"

namespace leyden::runtime {
namespace {

/// Larger than any last-level cache shared by these threads is likely to hold.
constexpr std::size_t kReadBytes = std::size_t{2} << 30;
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr int kReadPasses = 3;
constexpr double kPeakSeconds = 0.1;

/// Memory of a node, or of all of them, in pieces.
struct Region {
  Memory memory;
  int node;  // index into the crew's nodes

  int n_pieces() const { return static_cast<int>(memory.size() / kPieceBytes); }
};

/// Best of some passes over all regions, each read by threads of its node first.
double best_rate(ThreadTeam& team, const std::vector<Region>& regions,
                 const simd::Kernels& kernels) {
  int n_pieces = 0;
  for (const Region& region : regions) n_pieces += region.n_pieces();
  const auto region_of = [&](int& piece) -> const Region& {
    std::size_t i = 0;
    while (piece >= regions[i].n_pieces()) piece -= regions[i++].n_pieces();
    return regions[i];
  };
  const auto for_each_piece = [&](const auto& use) {
    team.run(
        n_pieces,
        [&](int piece, int) {
          const Region& region = region_of(piece);
          use(region.memory.data() + static_cast<std::size_t>(piece) * kPieceBytes);
        },
        [&](int piece) { return region_of(piece).node; });
  };
  for_each_piece([](std::byte* piece) { std::memset(piece, 1, kPieceBytes); });
  std::atomic<std::uint64_t> sink = 0;
  const simd::Lead lead = simd::lead_of_cpu();
  double best = 0;
  for (int pass = 0; pass < kReadPasses; ++pass) {
    const Clock::time_point start = Clock::now();
    for_each_piece([&](std::byte* piece) { sink += kernels.read_all(piece, kPieceBytes, lead); });
    const double bytes = static_cast<double>(kPieceBytes) * n_pieces;
    best = std::max(best, bytes / seconds_since(start) / 1e9);
  }
  return best;
}

/// Every node reads memory of its own.
double local_read_rate(ThreadTeam& team, const simd::Kernels& kernels) {
  const Crew& crew = team.crew();
  const auto n = static_cast<std::size_t>(crew.n_nodes());
  // A machine may be small; then its caches are, too.
  const std::size_t bytes = std::min<std::size_t>(kReadBytes, available_memory().bytes / 4) / n;
  std::vector<Region> regions;
  for (int node = 0; node < crew.n_nodes(); ++node) {
    regions.push_back(
        {Memory(bytes / kPieceBytes * kPieceBytes, HugePages::kAuto, crew.near(node)), node});
  }
  return best_rate(team, regions, kernels);
}

/// Best rate of `peak(rounds)`, which returns the multiply-accumulates of a round.
template <class Peak>
double mac_rate(ThreadTeam& team, const Peak& peak) {
  const auto run = [&](std::int64_t rounds) {
    std::atomic<std::int64_t> macs = 0;
    const Clock::time_point start = Clock::now();
    // Pieces rather than one run per thread: a thread that starts late does fewer of them.
    constexpr int kPieces = 64;
    team.run(team.size() * kPieces, [&](int, int) { macs += rounds * peak(rounds); });
    return std::pair(static_cast<double>(macs.load()), seconds_since(start));
  };
  std::int64_t rounds = 100;
  while (run(rounds).second < kPeakSeconds) rounds *= 2;
  double best = 0;
  for (int pass = 0; pass < 3; ++pass) {
    const auto [macs, seconds] = run(rounds);
    best = std::max(best, macs / seconds / 1e9);
  }
  return best;
}

}  // namespace

double read_rate(ThreadTeam& team, const MemoryHome& home, std::size_t bytes,
                 const simd::Kernels& kernels) {
  std::vector<Region> regions;
  regions.push_back({Memory(bytes / kPieceBytes * kPieceBytes, HugePages::kAuto, home), 0});
  return best_rate(team, regions, kernels);
}

MachineLimits measure_limits(ThreadTeam& team, const simd::Kernels& kernels) {
  const ThreadBinding bound = team.bind_caller();
  const auto integer_peak = [&](std::int64_t rounds) {
    std::int32_t sink = 0;
    return kernels.integer_peak(rounds, &sink);
  };
  const auto float_peak = [&](std::int64_t rounds) {
    float sink = 0;
    return kernels.float_peak(rounds, &sink);
  };
  return {team.size(), local_read_rate(team, kernels), mac_rate(team, integer_peak),
          mac_rate(team, float_peak)};
}

}  // namespace leyden::runtime
