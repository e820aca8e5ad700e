#include <limits>
#include <utility>

#include "simd/top_k.h"

namespace leyden::simd::scalar {
namespace {

bool is_better(const TopK& t, std::int32_t a, std::int32_t b) {
  if (t.score[a] != t.score[b]) return t.score[a] > t.score[b];
  return t.position[a] < t.position[b];
}

/// Heap order with the worst entry on top: lets entry i of the first n sink to its place.
void sink(TopK& t, std::int32_t i, std::int32_t n) {
  for (;;) {
    std::int32_t worst = i;
    for (std::int32_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; ++child) {
      if (is_better(t, worst, child)) worst = child;
    }
    if (worst == i) return;
    std::swap(t.score[i], t.score[worst]);
    std::swap(t.position[i], t.position[worst]);
    i = worst;
  }
}

}  // namespace

void top_k_select(TopK& best) noexcept {
  if (best.count < best.k) return;
  if (best.k <= 0) {
    best.count = 0;
    best.threshold = std::numeric_limits<float>::infinity();
    return;
  }
  for (std::int32_t i = best.k / 2 - 1; i >= 0; --i) sink(best, i, best.k);
  for (std::int32_t i = best.k; i < best.count; ++i) {
    if (!is_better(best, i, 0)) continue;
    std::swap(best.score[0], best.score[i]);
    std::swap(best.position[0], best.position[i]);
    sink(best, 0, best.k);
  }
  best.count = best.k;
  best.threshold = best.score[0];
  best.last_tie = best.position[0];
}

void top_k_make_room(TopK& best) noexcept { top_k_select(best); }

void top_k_merge(TopK& into, const TopK& from) noexcept {
  for (std::int32_t i = 0; i < from.count; ++i) {
    if (!(from.score[i] >= into.threshold)) continue;
    if (into.count == into.capacity) top_k_make_room(into);
    into.score[into.count] = from.score[i];
    into.position[into.count++] = from.position[i];
  }
}

}  // namespace leyden::simd::scalar
