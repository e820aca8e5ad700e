#include "simd/top_k.h"

#include <algorithm>
#include <limits>
#include <span>

#include "simd/kernels.h"

namespace leyden::simd {
namespace {

/// Copies n positions to out, run by run of kRun consecutive ones. If those of a run lie together
/// and in order, as one thread's scan leaves them, out is in order then, after a few passes without
/// a branch that depends on data: sorting takes several times as long. False, and nothing copied,
/// if runs are scattered or `room` doesn't hold two numbers for each.
bool copy_runs(const std::int32_t* position, std::int32_t n, std::int32_t* out,
               std::span<std::int32_t> room) {
  constexpr std::uint32_t kRun = 256;
  const auto run_of = [&](std::int32_t i) {
    return static_cast<std::uint32_t>(position[i]) / kRun;
  };
  std::uint32_t n_runs = 0;
  for (std::int32_t i = 0; i < n; ++i) n_runs = std::max(n_runs, run_of(i) + 1);
  if (room.size() < 2 * std::size_t{n_runs}) return false;
  const std::span<std::int32_t> start = room.first(n_runs), end = room.subspan(n_runs, n_runs);
  std::ranges::fill(room.first(2 * std::size_t{n_runs}), 0);
  for (std::int32_t i = 0; i < n; ++i) end[run_of(i)] = i + 1;
  for (std::int32_t i = n - 1; i >= 0; --i) start[run_of(i)] = i;
  std::int32_t n_spanned = 0;  // more than n if something else lies inside of a run
  for (std::uint32_t r = 0; r < n_runs; ++r) {
    const std::int32_t length = end[r] - start[r];
    start[r] = n_spanned - start[r];  // from now on what leads from there to its place in out
    n_spanned += length;
  }
  if (n_spanned != n) return false;
  for (std::int32_t i = 0; i < n; ++i) out[i + start[run_of(i)]] = position[i];
  return true;
}

}  // namespace

std::int32_t top_k_capacity(std::int32_t k) {
  constexpr std::int32_t kLanes = 16;
  return (2 * k + 2 * kTopKPush + kLanes - 1) / kLanes * kLanes;
}

void top_k_reset(TopK& best, std::int32_t k, float floor) noexcept {
  best.k = k;
  best.count = 0;
  best.threshold = floor;
  best.last_tie = std::numeric_limits<std::int32_t>::max();
}

void top_k_raise(TopK& best, float floor) noexcept {
  if (!(floor > best.threshold)) return;
  best.threshold = floor;
  best.last_tie = std::numeric_limits<std::int32_t>::max();
}

void top_k_shrink(TopK& best) noexcept { kernels().top_k_select(best); }

void top_k_push(TopK& best, float score, std::int32_t position) noexcept {
  if (!(score >= best.threshold)) return;  // below, or NaN
  if (score == best.threshold && position > best.last_tie) return;
  if (best.count == best.capacity) kernels().top_k_make_room(best);
  best.score[best.count] = score;
  best.position[best.count] = position;
  ++best.count;
}

std::int32_t top_k_positions(TopK& best, std::int32_t* out) noexcept {
  top_k_shrink(best);
  const std::int32_t n = best.count;
  if (n == 0) return 0;
  const auto unused = static_cast<std::size_t>(best.capacity - n);
  if (!copy_runs(best.position, n, out, {best.position + n, unused})) {
    std::copy_n(best.position, n, out);
  }
  if (!std::is_sorted(out, out + n)) std::sort(out, out + n);
  return n;
}

}  // namespace leyden::simd
