#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/attend.h"
#include "simd/layout.h"
#include "simd/magnitude.h"
#include "simd/vec.h"

/// Rows in fixed point (simd/attend.h) and their packing into panels of 32 columns, for kernels. A
/// panel is made of 32-bit cells, each two int16 codes: [rows of cells][32 columns].
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kCellPanel = 32;
/// Rows of codes are padded to whole vectors of cells.
LEYDEN_INLINE int padded(int width) { return (width + kFixedStep - 1) / kFixedStep * kFixedStep; }
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

/// What bounds a run's codes: as factors of scores, or of outputs (simd/attend.h).
enum class Role { kKey, kValue };

/// Largest code of a run whose largest |x| is 1 / inverse.
template <Role kRole, typename Row>
LEYDEN_INLINE float code_limit(Row row, int begin, int stop, int width, float inverse) {
  if constexpr (kRole == Role::kValue) return kFixedValueLimit;
  F32x16 squares = zero_f32();
  for (int i = begin; i < stop; i += 16) {
    const F32x16 x = row.at(i, width) * broadcast(inverse);
    squares = fma(x, x, squares);
  }
  const float limit = kFixedNorm / __builtin_sqrtf(fold_add(squares));
  return kFixedKeyLimit < limit ? kFixedKeyLimit : limit;
}

/// What the values of a run are multiplied by to become codes; sets its scale. 0 if the run isn't
/// finite: 0 * infinity and 0 * NaN round to 0x80000000, whose low 16 bits are the code 0 too.
template <Role kRole, typename Row>
LEYDEN_INLINE F32x16 run_factor(Row row, int begin, int stop, int width, float* scale) {
  Magnitude magnitude;
  for (int i = begin; i < stop; i += 16) magnitude.add(row.at(i, width));
  const float max_abs = magnitude.max_abs();
  if (!(max_abs <= kLargestQuantized)) {
    *scale = max_abs;
    return zero_f32();
  }
  const bool is_zero = max_abs < kSmallestFixed;
  const float inverse = is_zero ? 0.0f : 1.0f / max_abs;
  const float limit = is_zero ? 0.0f : code_limit<kRole>(row, begin, stop, width, inverse);
  *scale = is_zero ? 0.0f : max_abs / limit;
  return broadcast(limit * inverse);
}

/// codes [padded(width)] and scale [n_runs(width)] of a row, scales at a distance.
template <Role kRole, typename Row>
LEYDEN_INLINE void fix_row(Row row, int width, std::int16_t* codes, float* scale,
                           std::ptrdiff_t scale_stride) {
  const int end = padded(width);
  for (int begin = 0; begin < end; begin += kFixedRun, scale += scale_stride) {
    const int stop = end - begin < kFixedRun ? end : begin + kFixedRun;
    const F32x16 factor = run_factor<kRole>(row, begin, stop, width, scale);
    for (int i = begin; i < stop; i += 16) {
      store_codes(codes + i, round_to_i32(row.at(i, width) * factor));
    }
  }
}

/// Columns `first` .. first + 15 of panels from 16 rows of codes, whose pairs become cells. A panel
/// has panel_cells rows of cells.
LEYDEN_INLINE void pack_as_columns(const std::int16_t* codes, int width, int first, int panel_cells,
                                   std::int32_t* panels) {
  auto* panel = reinterpret_cast<float*>(panels) +
                std::ptrdiff_t{first / kCellPanel} * panel_cells * kCellPanel + first % kCellPanel;
  for (int d = 0; d < width; d += kFixedStep, panel += 16 * kCellPanel) {
    F32x16 block[16];
    LEYDEN_UNROLL
    for (int i = 0; i < 16; ++i) {
      const std::int16_t* from = codes + std::ptrdiff_t{i} * width + d;
      block[i] = bits_as_f32(load(reinterpret_cast<const std::int32_t*>(from)));
    }
    transpose(block);
    LEYDEN_UNROLL
    for (int i = 0; i < 16; ++i) store(panel + i * kCellPanel, block[i]);
  }
}

/// Pairs of keys `first` .. first + 15, cells of panels over n_values columns (padded), from 16
/// rows of codes.
LEYDEN_INLINE void pack_as_rows(const std::int16_t* codes, int width, int n_values, int first,
                                std::int32_t* panels) {
  constexpr std::ptrdiff_t kPanelCells = std::ptrdiff_t{kKeyChunk / 2} * kCellPanel;
  std::int32_t* to = panels + std::ptrdiff_t{first / 2} * kCellPanel;
  for (int r = 0; r < 16; r += 2, to += kCellPanel) {
    const auto* even = reinterpret_cast<const std::uint16_t*>(codes) + std::ptrdiff_t{r} * width;
    std::int32_t* panel = to;
    for (int d = 0; d < n_values; d += kCellPanel, panel += kPanelCells) {
      LEYDEN_UNROLL
      for (int i = 0; i < kCellPanel; i += 16) {
        store(panel + i, load_u16(even + d + i) | shift_left<16>(load_u16(even + width + d + i)));
      }
    }
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
