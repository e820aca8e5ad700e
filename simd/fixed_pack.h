#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/attend.h"
#include "simd/layout.h"
#include "simd/quantize.h"
#include "simd/vec.h"

/// Rows in 13-bit fixed point (simd/attend.h) and their packing into panels of 32 columns, for
/// kernels. A panel holds pairs of rows in 32-bit lanes: [row pairs][32 columns][2].
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kPairPanel = 32;
/// Code rows are padded to whole vectors of pairs.
constexpr int kCodeStep = 32;
LEYDEN_INLINE int padded(int width) { return (width + kCodeStep - 1) / kCodeStep * kCodeStep; }
LEYDEN_INLINE int n_runs(int width) { return (width + kFixedRun - 1) / kFixedRun; }

/// Sources of values: 16 from index i on, zeros from n on.
struct F32Row {
  const float* x;
  [[gnu::always_inline]] F32x16 at(int i, int n) const {
    return n - i >= 16 ? load(x + i) : n > i ? load_first(x + i, n - i) : zero_f32();
  }
};
struct Bf16Row {
  const std::uint16_t* x;
  [[gnu::always_inline]] F32x16 at(int i, int n) const {
    return n - i >= 16 ? load_bf16(x + i) : n > i ? load_bf16_first(x + i, n - i) : zero_f32();
  }
};

LEYDEN_INLINE void store_codes(std::int16_t* to, I32x16 codes) {
  store_low16(reinterpret_cast<std::uint16_t*>(to), codes);
}

/// codes [padded(width)] and scale [n_runs(width)] of a row, scales at a distance.
template <typename Row>
LEYDEN_INLINE void fix_row(Row row, int width, std::int16_t* codes, float* scale,
                           std::ptrdiff_t scale_stride) {
  const int end = padded(width);
  for (int begin = 0; begin < end; begin += kFixedRun, scale += scale_stride) {
    const int stop = end - begin < kFixedRun ? end : begin + kFixedRun;
    F32x16 largest = zero_f32();
    for (int i = begin; i < stop; i += 16) largest = max(abs(row.at(i, width)), largest);
    const float max_abs = fold_max(largest);
    const bool is_zero = max_abs < kSmallestQuantized;
    const F32x16 inverse = broadcast(is_zero ? 0.0f : kFixedLimit / max_abs);
    for (int i = begin; i < stop; i += 16) {
      store_codes(codes + i, round_to_i32(row.at(i, width) * inverse));
    }
    *scale = is_zero ? 0.0f : max_abs / kFixedLimit;
  }
}

/// Columns `first` .. first + 15 of a panel from 16 rows of codes, whose pairs become lines.
LEYDEN_INLINE void pack_as_columns(const std::int16_t* codes, int width, int first,
                                   std::int16_t* panels) {
  auto* panel = reinterpret_cast<float*>(panels) +
                std::ptrdiff_t{first / kPairPanel} * (width / 2) * kPairPanel + first % kPairPanel;
  for (int d = 0; d < width; d += kCodeStep) {
    F32x16 block[16];
    LEYDEN_UNROLL
    for (int i = 0; i < 16; ++i) {
      const std::int16_t* from = codes + std::ptrdiff_t{i} * width + d;
      block[i] = bits_as_f32(load(reinterpret_cast<const std::int32_t*>(from)));
    }
    transpose(block);
    LEYDEN_UNROLL
    for (int i = 0; i < 16; ++i) store(panel + (d / 2 + i) * kPairPanel, block[i]);
  }
}

/// Row pairs `first` / 2 .. first / 2 + 7 of panels over n_values columns (padded), from 16 rows.
LEYDEN_INLINE void pack_as_rows(const std::int16_t* codes, int width, int n_values, int first,
                                std::int16_t* panels) {
  constexpr std::ptrdiff_t kPanelPairs = std::ptrdiff_t{kKeyChunk / 2} * kPairPanel;
  auto* to = reinterpret_cast<std::int32_t*>(panels) + std::ptrdiff_t{first / 2} * kPairPanel;
  for (int r = 0; r < 16; r += 2, to += kPairPanel) {
    const auto* even = reinterpret_cast<const std::uint16_t*>(codes) + std::ptrdiff_t{r} * width;
    for (int d = 0; d < n_values; d += 16) {
      const I32x16 pair = load_u16(even + d) | shift_left<16>(load_u16(even + width + d));
      store(to + d / kPairPanel * kPanelPairs + d % kPairPanel, pair);
    }
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
