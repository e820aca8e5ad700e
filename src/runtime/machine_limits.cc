#include "src/runtime/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "src/runtime/memory.h"

namespace leyden::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Larger than any last-level cache shared by these threads is likely to hold.
constexpr std::size_t kReadBytes = std::size_t{2} << 30;
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr int kReadPasses = 3;
constexpr double kPeakSeconds = 0.1;

double read_rate(ThreadTeam& team, const simd::Kernels& kernels) {
  const Memory memory(kReadBytes);
  const int n_pieces = static_cast<int>(kReadBytes / kPieceBytes);
  team.run(n_pieces, [&](int piece, int) {
    std::memset(memory.data() + static_cast<std::size_t>(piece) * kPieceBytes, piece, kPieceBytes);
  });
  std::atomic<std::uint64_t> sink = 0;
  double best = 0;
  for (int pass = 0; pass < kReadPasses; ++pass) {
    const Clock::time_point start = Clock::now();
    team.run(n_pieces, [&](int piece, int) {
      sink += kernels.read_all(memory.data() + static_cast<std::size_t>(piece) * kPieceBytes,
                               kPieceBytes);
    });
    best = std::max(best, static_cast<double>(kReadBytes) / seconds_since(start) / 1e9);
  }
  return best;
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

MachineLimits measure_limits(ThreadTeam& team, const simd::Kernels& kernels) {
  const auto integer_peak = [&](std::int64_t rounds) {
    std::int32_t sink = 0;
    return kernels.integer_peak(rounds, &sink);
  };
  const auto float_peak = [&](std::int64_t rounds) {
    float sink = 0;
    return kernels.float_peak(rounds, &sink);
  };
  return {team.size(), read_rate(team, kernels), mac_rate(team, integer_peak),
          mac_rate(team, float_peak)};
}

}  // namespace leyden::runtime
