#include "simd/top_k.h"

#include <algorithm>

#include "simd/kernels.h"

namespace leyden::simd {

std::int32_t top_k_capacity(std::int32_t k) { return 3 * k + 2 * kTopKPush; }

void top_k_reset(TopK& best, std::int32_t k, float floor) noexcept {
  best.k = k;
  best.count = 0;
  best.threshold = floor;
}

void top_k_shrink(TopK& best) noexcept { kernels().top_k_select(best); }

void top_k_push(TopK& best, float score, std::int32_t position) noexcept {
  if (!(score >= best.threshold)) return;  // below, or NaN
  if (best.count == best.capacity) top_k_shrink(best);
  best.score[best.count] = score;
  best.position[best.count] = position;
  ++best.count;
}

void top_k_merge(TopK& into, const TopK& from) noexcept {
  for (std::int32_t i = 0; i < from.count; ++i) top_k_push(into, from.score[i], from.position[i]);
}

std::int32_t top_k_positions(TopK& best, std::int32_t* out) noexcept {
  top_k_shrink(best);
  std::copy_n(best.position, best.count, out);
  // Scanning in order leaves them sorted already, and so does merging the runs in order.
  if (!std::is_sorted(out, out + best.count)) std::sort(out, out + best.count);
  return best.count;
}

}  // namespace leyden::simd
