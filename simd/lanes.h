#pragma once

#include "simd/vec.h"

// Walking over rows of any length: the same code for whole registers and for the rest.
// For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

struct AllLanes {};
struct FirstLanes {
  int n;  // 1..15
};

LEYDEN_INLINE F32x16 load(const float* p, AllLanes) { return load(p); }
LEYDEN_INLINE F32x16 load(const float* p, FirstLanes lanes) { return load_first(p, lanes.n); }
LEYDEN_INLINE void store(float* p, F32x16 x, AllLanes) { store(p, x); }
LEYDEN_INLINE void store(float* p, F32x16 x, FirstLanes lanes) { store_first(p, x, lanes.n); }
LEYDEN_INLINE F32x16 load_bf16(const std::uint16_t* p, AllLanes) { return load_bf16(p); }
LEYDEN_INLINE F32x16 load_bf16(const std::uint16_t* p, FirstLanes lanes) {
  return load_bf16_first(p, lanes.n);
}
/// x in the given lanes, `other` in the lanes past the row's end.
LEYDEN_INLINE F32x16 fill_rest(F32x16 x, F32x16, AllLanes) { return x; }
LEYDEN_INLINE F32x16 fill_rest(F32x16 x, F32x16 other, FirstLanes lanes) {
  return select(first_lanes(lanes.n), x, other);
}

/// body(i, lanes) for i = 0, 16, 32, ... below n.
template <typename Body>
LEYDEN_INLINE void for_lanes(int n, Body body) {
  int i = 0;
  for (; i + 16 <= n; i += 16) body(i, AllLanes{});
  if (i < n) body(i, FirstLanes{n - i});
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
