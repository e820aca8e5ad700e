#include "simd/pack.h"
#include "simd/pack_scales.h"
#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Int4Levels in registers.
struct Table {
  F32x16 level, border0, border1, border2, border3;
};

LEYDEN_INLINE Table load_levels(const Int4Levels& levels) {
  return {load(levels.level), broadcast(levels.border[0][0]), load_first(levels.border[1], 8),
          load_first(levels.border[2], 8), load_first(levels.border[3], 8)};
}

/// The code of the level nearest to t, bit by bit from the highest.
LEYDEN_INLINE I32x16 nearest(const Table& table, F32x16 t) {
  I32x16 code = count(zero_i32(), greater(t, table.border0));
  code = count(code + code, greater(t, look_up_8(table.border1, code)));
  code = count(code + code, greater(t, look_up_8(table.border2, code)));
  return count(code + code, greater(t, look_up_8(table.border3, code)));
}

/// What the codes for some scale are worth: sum(i w l), sum(i l^2) and their quotient.
struct Fit {
  F32x16 wl, ll, quotient;
};

/// A group of n columns [n][16].
struct Group {
  const float* weight;
  const float* importance;  // [n] or null
  int n;
};

LEYDEN_INLINE Fit fit(const Group& group, const Table& table, F32x16 inverse) {
  F32x16 wl = zero_f32(), ll = zero_f32();
  for (int k = 0; k < group.n; ++k) {
    const F32x16 w = load(group.weight + k * kTileRows);
    const F32x16 level = look_up_16(table.level, nearest(table, w * inverse));
    const F32x16 il = group.importance == nullptr ? level : broadcast(group.importance[k]) * level;
    wl = fma(il, w, wl);
    ll = fma(il, level, ll);
  }
  return {wl, ll, wl * wl / ll};
}

LEYDEN_INLINE Fit better(const Fit& a, const Fit& b) {
  const Mask16 is_b = greater(b.quotient, a.quotient);
  return {select(is_b, b.wl, a.wl), select(is_b, b.ll, a.ll), select(is_b, b.quotient, a.quotient)};
}

LEYDEN_INLINE F32x16 quotient_or_zero(F32x16 a, F32x16 b) {
  return select(greater(abs(b), zero_f32()), a / b, zero_f32());
}

/// Inverse scales that put the largest |weight| at the end of the longer and the shorter arm.
struct Arms {
  F32x16 longer, shorter;
};

LEYDEN_INLINE Arms find_arms(const Group& group, float low, float high) {
  F32x16 above = zero_f32(), below = zero_f32();  // of zero
  for (int k = 0; k < group.n; ++k) {
    const F32x16 w = load(group.weight + k * kTileRows);
    above = max(w, above);
    below = max(zero_f32() - w, below);
  }
  const F32x16 largest = max(above, below);
  const F32x16 longer = quotient_or_zero(broadcast(low > high ? low : high), largest);
  const F32x16 shorter = quotient_or_zero(broadcast(low > high ? high : low), largest);
  // The arms have different signs, and so have the scales that put one weight at either of them.
  const Mask16 is_below = greater(below, above);
  const F32x16 minus_longer = zero_f32() - longer, minus_shorter = zero_f32() - shorter;
  if (low > high) {
    return {select(is_below, longer, minus_longer), select(is_below, minus_shorter, shorter)};
  }
  return {select(is_below, minus_longer, longer), select(is_below, shorter, minus_shorter)};
}

LEYDEN_INLINE F32x16 find_scale(const Group& group, const Table& table, float low, float high) {
  const Arms arms = find_arms(group, low, high);
  Fit best = {zero_f32(), zero_f32(), zero_f32()};
  for (const float share : kLongShares) {
    best = better(best, fit(group, table, arms.longer * broadcast(share)));
  }
  for (const float share : kShortShares) {
    best = better(best, fit(group, table, arms.shorter * broadcast(share)));
  }
  for (int i = 0; i < kInt4Refinements; ++i) {
    best = better(best, fit(group, table, quotient_or_zero(best.ll, best.wl)));
  }
  return quotient_or_zero(best.wl, best.ll);
}

/// Codes of four columns, one per byte.
LEYDEN_INLINE I32x16 quad_codes(const float* four, const Table& table, F32x16 inverse) {
  const I32x16 c0 = nearest(table, load(four) * inverse);
  const I32x16 c1 = nearest(table, load(four + kTileRows) * inverse);
  const I32x16 c2 = nearest(table, load(four + 2 * kTileRows) * inverse);
  const I32x16 c3 = nearest(table, load(four + 3 * kTileRows) * inverse);
  return c0 + shift_left<8>(c1) + shift_left<16>(c2) + shift_left<24>(c3);
}

}  // namespace

void pack_int4(const float* columns, int n_cols, const Int4Levels& levels, const float* importance,
               std::byte* block) noexcept {
  const Table table = load_levels(levels);
  const float low = -levels.level[0], high = levels.level[kInt4Levels - 1];
  auto* const pairs = reinterpret_cast<std::int32_t*>(block + kBlockScaleBytes);
  for (int g = 0; g < kGroupsPerBlock; ++g) {
    const int first = g * kGroup;
    const float* const weight = columns + first * kTileRows;
    const int left = n_cols - first;
    const Group group = {weight, importance == nullptr ? nullptr : importance + first,
                         left > kGroup ? kGroup : left};
    const F32x16 scale = find_scale(group, table, low, high);
    const F32x16 inverse = store_scales(scale, block + g * kTileRows * 2);
    for (int pair = 0; pair < kGroup / 8; ++pair) {
      const float* const eight = weight + 8 * pair * kTileRows;
      const I32x16 codes = quad_codes(eight, table, inverse) +
                           shift_left<4>(quad_codes(eight + 4 * kTileRows, table, inverse));
      store(pairs + (g * kGroup / 8 + pair) * kTileRows, codes);
    }
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
