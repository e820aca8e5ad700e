#include "src/runtime/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "simd/kernels.h"
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
constexpr double kIntegerSeconds = 0.1;

double read_rate(ThreadTeam& team) {
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
      sink += simd::kernels().read_all(
          memory.data() + static_cast<std::size_t>(piece) * kPieceBytes, kPieceBytes);
    });
    best = std::max(best, static_cast<double>(kReadBytes) / seconds_since(start) / 1e9);
  }
  return best;
}

double integer_rate(ThreadTeam& team) {
  const auto run = [&](std::int64_t rounds) {
    std::atomic<std::int64_t> macs = 0;
    const Clock::time_point start = Clock::now();
    // Pieces rather than one run per thread: a thread that starts late does fewer of them.
    constexpr int kPieces = 64;
    team.run(team.size() * kPieces, [&](int, int) {
      std::int32_t sink = 0;
      macs += rounds * simd::kernels().integer_peak(rounds, &sink);
    });
    return std::pair(static_cast<double>(macs.load()), seconds_since(start));
  };
  std::int64_t rounds = 100;
  while (run(rounds).second < kIntegerSeconds) rounds *= 2;
  double best = 0;
  for (int pass = 0; pass < 3; ++pass) {
    const auto [macs, seconds] = run(rounds);
    best = std::max(best, macs / seconds / 1e9);
  }
  return best;
}

}  // namespace

MachineLimits measure_limits(ThreadTeam& team) {
  return {team.size(), read_rate(team), integer_rate(team)};
}

}  // namespace leyden::runtime
