#include "simd/top_k.h"

#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Floats in their order as integers, and back; -0 lies one below 0.
LEYDEN_INLINE std::int32_t ordered(float x) {
  std::int32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}
LEYDEN_INLINE float unordered(std::int32_t x) {
  const std::int32_t bits = x ^ ((x >> 31) & 0x7fffffff);
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}

/// Scores of at least `bound`.
LEYDEN_INLINE std::int32_t count_at_least(const TopK& t, float bound) {
  I32x16 n[2] = {zero_i32(), zero_i32()};
  const F32x16 bounds = broadcast(bound);
  std::int32_t i = 0;
  for (; i + 32 <= t.count; i += 32) {
    n[0] = count(n[0], greater_equal(load(t.score + i), bounds));
    n[1] = count(n[1], greater_equal(load(t.score + i + 16), bounds));
  }
  for (; i < t.count; i += 16) {
    const Mask16 m = greater_equal(load_first(t.score + i, t.count - i), bounds);
    n[0] = count(n[0], m & first_lanes(t.count - i));
  }
  return fold_add(n[0] + n[1]);
}

/// Entries whose score is `tied` and whose position is at most `last`.
LEYDEN_INLINE std::int32_t count_ties(const TopK& t, float tied, std::int32_t last) {
  const F32x16 ties = broadcast(tied);
  const I32x16 lasts = broadcast_i32(last);
  I32x16 n = zero_i32();
  std::int32_t i = 0;
  for (; i + 16 <= t.count; i += 16) {
    const F32x16 score = load(t.score + i);
    const Mask16 equal = greater_equal(score, ties) & greater_equal(ties, score);
    n = count(n, equal - greater(load(t.position + i), lasts));
  }
  std::int32_t rest = 0;
  for (; i < t.count; ++i) rest += t.score[i] == tied && t.position[i] <= last ? 1 : 0;
  return fold_add(n) + rest;
}

struct Range {
  std::int32_t low, high;
};

LEYDEN_INLINE Range score_range(const TopK& t) {
  F32x16 low = broadcast(t.score[0]), high = low;
  std::int32_t i = 0;
  for (; i + 16 <= t.count; i += 16) {
    const F32x16 x = load(t.score + i);
    low = min(x, low);
    high = max(x, high);
  }
  for (; i < t.count; ++i) {
    low = min(broadcast(t.score[i]), low);
    high = max(broadcast(t.score[i]), high);
  }
  return {ordered(-fold_max(zero_f32() - low)), ordered(fold_max(high))};
}

LEYDEN_INLINE std::int32_t largest_position(const TopK& t) {
  I32x16 largest = zero_i32();
  std::int32_t i = 0;
  for (; i + 16 <= t.count; i += 16) largest = max(load(t.position + i), largest);
  std::int32_t lanes[16];
  store(lanes, largest);
  for (; i < t.count; ++i) lanes[0] = t.position[i] > lanes[0] ? t.position[i] : lanes[0];
  for (const std::int32_t lane : lanes) lanes[0] = lane > lanes[0] ? lane : lanes[0];
  return lanes[0];
}

struct Bound {
  float score;
  std::int32_t n_reach;
};

/// A bound that at least k scores reach: the first one met that no more than `enough` do or, with
/// too many ties for that, the k-th best score.
LEYDEN_INLINE Bound bisect(const TopK& t, std::int32_t enough) {
  Range r = score_range(t);
  std::int32_t n_reach = t.count;
  while (r.low < r.high && n_reach > enough) {
    const auto gap = static_cast<std::uint32_t>(r.high) - static_cast<std::uint32_t>(r.low);
    const auto middle =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(r.low) + (gap / 2 + gap % 2));
    const std::int32_t n = count_at_least(t, unordered(middle));
    if (n >= t.k) {
      r.low = middle;
      n_reach = n;
    } else {
      r.high = middle - 1;
    }
  }
  return {unordered(r.low), n_reach};
}

/// The position up to which `wanted` entries with score `tied` are found.
LEYDEN_INLINE std::int32_t last_tie(const TopK& t, float tied, std::int32_t wanted) {
  Range r = {0, largest_position(t)};
  while (r.low < r.high) {
    const std::int32_t middle = r.low + (r.high - r.low) / 2;
    if (count_ties(t, tied, middle) >= wanted) {
      r.high = middle;
    } else {
      r.low = middle + 1;
    }
  }
  return r.low;
}

/// Keeps scores above `bound` and, up to position `last`, those equal to it, in their order.
LEYDEN_INLINE void keep(TopK& t, float bound, std::int32_t last) {
  const F32x16 bounds = broadcast(bound);
  const I32x16 lasts = broadcast_i32(last);
  std::int32_t kept = 0;
  std::int32_t i = 0;
  for (; i + 16 <= t.count; i += 16) {  // written behind what has been read
    const F32x16 score = load(t.score + i);
    const I32x16 position = load(t.position + i);
    const Mask16 late_tie = greater_equal(bounds, score) & greater(position, lasts);
    const Mask16 m = greater_equal(score, bounds) - late_tie;
    compress_store(t.score + kept, score, m);
    kept += compress_store(t.position + kept, position, m);
  }
  for (; i < t.count; ++i) {
    const float score = t.score[i];
    if (!(score > bound) && !(score == bound && t.position[i] <= last)) continue;
    t.score[kept] = score;
    t.position[kept] = t.position[i];
    ++kept;
  }
  t.count = kept;
}

/// Leaves the k best entries and, of others, as many as `enough` allows.
LEYDEN_INLINE void reduce(TopK& best, std::int32_t enough) {
  if (best.count < best.k) return;
  if (best.k <= 0) {
    best.count = 0;
    best.threshold = __builtin_inff();
    return;
  }
  const Bound bound = bisect(best, enough);
  std::int32_t last = 0x7fffffff;
  if (bound.n_reach > enough) {
    const std::int32_t n_ties = count_ties(best, bound.score, last);
    last = last_tie(best, bound.score, n_ties - (bound.n_reach - best.k));
  }
  keep(best, bound.score, last);
  best.threshold = bound.score;
  best.last_tie = last;
}

}  // namespace

void top_k_select(TopK& best) noexcept { reduce(best, best.k); }

void top_k_make_room(TopK& best) noexcept { reduce(best, best.k + top_k_surplus(best.k)); }

void top_k_merge(TopK& into, const TopK& from) noexcept {
  for (std::int32_t i = 0; i < from.count; i += 16) {
    if (into.count + 16 > into.capacity) top_k_make_room(into);
    const int n = from.count - i < 16 ? from.count - i : 16;
    const F32x16 score = load(from.score + i);  // a buffer's capacity is whole registers
    const Mask16 enters = greater_equal(score, broadcast(into.threshold)) & first_lanes(n);
    compress_store(into.score + into.count, score, enters);
    into.count += compress_store(into.position + into.count, load(from.position + i), enters);
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
