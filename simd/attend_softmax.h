#pragma once

#include "simd/attend.h"
#include "simd/exp.h"

/// Which keys a query sees, and exponentiate: turns its scores into p, and sets max and sum
/// (simd/attend.h). For kernels, and with the same bits for references.
namespace leyden::simd {

#if defined(LEYDEN_ISA)
namespace LEYDEN_ISA {
namespace {

/// The keys that a query sees: of the first n all, or those chosen.
struct Seen {
  int n;
  Choice choice;  // of this query

  /// Of keys k .. k + 15, k being a multiple of 16.
  [[gnu::always_inline]] Mask16 lanes(int k) const {
    const Mask16 first = first_lanes(n - k);
    if (choice.words == nullptr) return first;
    return first & lanes_of(choice.words[k / 32] >> k % 32 & 0xffff);
  }
  [[gnu::always_inline]] bool has(int k) const { return k < n && choice.has(0, k); }
};

/// What each of some queries sees of n_keys keys.
struct Sights {
  int n_keys;
  const std::int32_t* n_visible;  // or null
  Choice choice;

  [[gnu::always_inline]] Seen of(int query) const {
    return {n_visible == nullptr ? n_keys : n_visible[query], choice.from(query)};
  }
  [[gnu::always_inline]] Sights from(int query) const {
    return {n_keys, n_visible == nullptr ? nullptr : n_visible + query, choice.from(query)};
  }
  /// Behind the last key that any of the first n_queries may see.
  [[gnu::always_inline]] int reach(int n_queries) const {
    int most = 0;
    for (int i = 0; i < n_queries; ++i) most = of(i).n > most ? of(i).n : most;
    return most;
  }
  /// The first keys that all of n_queries from `first` on see, none skipped.
  [[gnu::always_inline]] int shared(int first, int n_queries) const {
    if (choice.words != nullptr) return 0;
    int least = of(first).n;
    for (int i = 1; i < n_queries; ++i) {
      least = of(first + i).n < least ? of(first + i).n : least;
    }
    return least;
  }
};

/// s [n_keys]: p of the keys seen, zeros for the others. Reads and writes whole lines of 16.
LEYDEN_INLINE void exponentiate(float* s, const Seen& keys, int n_keys, float* max_out,
                                float* sum_out) {
  const F32x16 nothing = broadcast(-__builtin_inff());
  F32x16 largest = nothing;
  for (int k = 0; k < keys.n; k += 16) {
    largest = max(select(keys.lanes(k), load(s + k), nothing), largest);
  }
  const float top = fold_max(largest);
  F32x16 sum = zero_f32();
  for (int k = 0; k < n_keys; k += 16) {
    const F32x16 p = select(keys.lanes(k), exp_f32(load(s + k) - broadcast(top)), zero_f32());
    store(s + k, p);
    sum = sum + p;
  }
  *max_out = top;
  *sum_out = fold_add(sum);
}

}  // namespace
}  // namespace LEYDEN_ISA

#else
namespace scalar {

/// s [n]; that of a key which the query hasn't chosen becomes 0.
inline void exponentiate(float* s, int n, const Choice& choice, float* max_out, float* sum_out) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int k = 0; k < n; ++k) largest = choice.has(0, k) && s[k] > largest ? s[k] : largest;
  float lane[16] = {};
  for (int k = 0; k < n; ++k) {
    s[k] = choice.has(0, k) ? exp_f32(s[k] - largest) : 0.0f;
    lane[k % 16] += s[k];
  }
  for (int distance = 8; distance > 0; distance /= 2) {
    for (int i = 0; i < distance; ++i) lane[i] += lane[i + distance];
  }
  *max_out = largest;
  *sum_out = lane[0];
}

}  // namespace scalar
#endif

}  // namespace leyden::simd
