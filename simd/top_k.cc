#include "simd/top_k.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "simd/kernels.h"

namespace leyden::simd {
namespace {

/// Sorts n positions by their bytes, the lowest first: a comparing sort of 2048 takes as long as a
/// thread's scan of several thousand keys. spare: room for n.
void sort_positions(std::int32_t* position, std::int32_t n, std::int32_t* spare) {
  const std::int32_t largest = *std::max_element(position, position + n);
  std::int32_t* from = position;
  std::int32_t* to = spare;
  for (int shift = 0; largest >> shift > 0; shift += 8) {
    std::array<std::int32_t, 257> start = {};  // of each byte's run, after the sums below
    for (std::int32_t i = 0; i < n; ++i)
      ++start[static_cast<std::size_t>(from[i] >> shift & 255) + 1];
    std::partial_sum(start.begin(), start.end(), start.begin());
    for (std::int32_t i = 0; i < n; ++i) {
      to[start[static_cast<std::size_t>(from[i] >> shift & 255)]++] = from[i];
    }
    std::swap(from, to);
  }
  if (from != position) std::copy_n(from, n, position);
}

}  // namespace

std::int32_t top_k_capacity(std::int32_t k) {
  constexpr std::int32_t kLanes = 16;
  return (3 * k + 2 * kTopKPush + kLanes - 1) / kLanes * kLanes;
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
  if (best.count == best.capacity) top_k_shrink(best);
  best.score[best.count] = score;
  best.position[best.count] = position;
  ++best.count;
}

std::int32_t top_k_positions(TopK& best, std::int32_t* out) noexcept {
  top_k_shrink(best);
  std::int32_t* const found = best.position;
  // One thread that scans in order leaves them sorted already.
  if (!std::is_sorted(found, found + best.count)) sort_positions(found, best.count, found + best.k);
  std::copy_n(found, best.count, out);
  return best.count;
}

}  // namespace leyden::simd
