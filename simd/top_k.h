#pragma once

#include <cstdint>

namespace leyden::simd {

/// The k best of a stream of scored positions, kept without sorting: survivors of a running
/// threshold are appended; when the buffer is full, the k best and a few more stay and the
/// threshold rises. Higher scores win; equal scores (-0 equals 0) favour the lower position; NaN
/// never enters. So the set is the one a full sort gives, for any order of the stream.
/// Threads count side by side, and lines are fetched in pairs: hence the alignment.
struct alignas(128) TopK {
  float* score = nullptr;            // [capacity]
  std::int32_t* position = nullptr;  // [capacity]
  std::int32_t capacity = 0;         // top_k_capacity(k)
  std::int32_t k = 0;
  std::int32_t count = 0;
  float threshold = 0;  // scores below can't be among the k best; starts at -infinity
  // Nor can scores that equal the threshold at positions behind this one. A stream in ascending
  // order, whatever its ties, so fills the buffer no more often than one without.
  std::int32_t last_tie = 0;
};

/// Entries that one push may append at most; a kernel asks for room before.
constexpr std::int32_t kTopKPush = 64;

/// Entries a buffer needs for k, whole registers. Half are slack, so that room is made after 7/8 k
/// survivors at the earliest; at V3.2's size the buffer is 34 KB, within a first-level cache of 48.
std::int32_t top_k_capacity(std::int32_t k);

/// Empties the buffer. `floor` must be a lower bound of the k-th best score: -infinity, or the k-th
/// best among scores already known (the warm start).
void top_k_reset(TopK& best, std::int32_t k, float floor) noexcept;

/// Tells a buffer of a lower bound of the k-th best score that was found elsewhere.
void top_k_raise(TopK& best, float floor) noexcept;

/// Reduces the buffer to its min(k, count) best and raises the threshold. k = 0 empties it.
void top_k_shrink(TopK& best) noexcept;

/// Offers one scored position.
void top_k_push(TopK& best, float score, std::int32_t position) noexcept;

/// The min(k, count) best positions, ascending, into out; returns their number.
std::int32_t top_k_positions(TopK& best, std::int32_t* out) noexcept;

/// top_k_shrink as a kernel. Bisects the ordered integers that the scores' bits are, until k scores
/// reach the bound: its time depends on the number of entries and on ties, not on their order.
using TopKSelectFn = void(TopK& best) noexcept;

/// Makes room in a full buffer: as top_k_select, but up to top_k_surplus(k) more entries than the
/// k best may stay. Four steps of the bisection find such a bound among normal scores, not 13.
using TopKMakeRoomFn = void(TopK& best) noexcept;
constexpr std::int32_t top_k_surplus(std::int32_t k) { return k / 8; }

/// Offers all entries of `from`; then shrink gives the best of both, whatever the order of merging.
using TopKMergeFn = void(TopK& into, const TopK& from) noexcept;

}  // namespace leyden::simd
