#pragma once

#include "simd/attend_softmax.h"
#include "simd/fixed_pack.h"

/// Attention over one packed chunk in fixed point (simd/attend.h), for kernels. Scores and outputs
/// are the same integer product with the panels of simd/fixed_pack.h.
namespace leyden::simd::LEYDEN_ISA {
namespace {

// Rows and vectors of a product that lie in registers at once, and queries that are worked on at
// once, whole blocks of such rows: their codes, scores and weights stay in the second cache.
#if defined(LEYDEN_ISA_avx2)
constexpr int kCellRows = 6, kCellVectors = 1, kFixedRows = 30;
#else
constexpr int kCellRows = 8, kCellVectors = 2, kFixedRows = 32;
#endif

/// A part of a key whose runs begin anew.
struct Section {
  int width;
  int cell;  // first cell of the row
  int run;   // first scale
};

/// Scales and sizes of a packed chunk, whatever form its codes have.
struct ChunkScales {
  const float* key;        // [key_runs][kKeyChunk]
  const float* value;      // [n_runs(value_dim)][kKeyChunk]
  const float* value_top;  // the same shape: the largest scale up to this key
  int key_cells, key_runs, n_keys, value_dim;
};

/// One packed chunk.
struct FixedChunk {
  ChunkScales scales;
  const std::int32_t* keys;    // [key panels][key_cells][32], unused columns zero
  const std::int32_t* values;  // [value panels][kKeyChunk / 2][32]
  Section sections[2];         // of a key
  int n_sections;
};

/// Lines of memory that will be wanted soon and are asked for a few at a time, between products:
/// rows that lie anywhere arrive while others are multiplied. One line of each of several rows at a
/// time, so that their addresses are translated side by side.
struct Wishes {
  static constexpr int kRowsAtOnce = 16;
  const std::byte* const* rows = nullptr;
  int n = 0, row_bytes = 0, row = 0, at = 0;

  [[gnu::always_inline]] void ask() {
    if (row >= n) return;
    const int stop = row + kRowsAtOnce < n ? row + kRowsAtOnce : n;
    for (int i = row; i < stop; ++i) prefetch(rows[i] + at);
    at += kLine;
    if (at < row_bytes) return;
    at = 0;
    row = stop;
  }
};

/// Working space of attend_fixed.
struct FixedScratch {
  float* score;     // [kFixedRows, kKeyChunk]
  std::int16_t* w;  // [value runs, kFixedRows, kKeyChunk]
  float* w_scale;   // [kFixedRows, value runs]
};

/// sum [R][kCellVectors] = rows a [R, n_cells] times panel [n_cells][32], exact.
template <int R>
LEYDEN_INLINE void multiply_cells(const std::int32_t* a, std::ptrdiff_t a_stride,
                                  const std::int32_t* panel, int n_cells,
                                  I32x16 (&sum)[R][kCellVectors]) {
  LEYDEN_UNROLL
  for (int r = 0; r < R; ++r) {
    LEYDEN_UNROLL
    for (int v = 0; v < kCellVectors; ++v) sum[r][v] = zero_i32();
  }
  for (int i = 0; i < n_cells; ++i, ++a, panel += kCellPanel) {
    I32x16 line[kCellVectors];
    LEYDEN_UNROLL
    for (int v = 0; v < kCellVectors; ++v) line[v] = keep(load(panel + 16 * v));
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      const I32x16 cell = broadcast_i32(a[r * a_stride]);
      LEYDEN_UNROLL
      for (int v = 0; v < kCellVectors; ++v) sum[r][v] = dot_i16(sum[r][v], line[v], cell);
    }
  }
}

/// Rows of fix_query.
struct FixedQueries {
  const std::byte* rows;
  std::ptrdiff_t stride;  // bytes

  [[gnu::always_inline]] const std::int32_t* cells(int row) const {
    return reinterpret_cast<const std::int32_t*>(rows + row * stride);
  }
};

/// score [R][32] gets one run of the key panel: fma(sum * key scale, query scale, score).
template <int R>
LEYDEN_INLINE void add_scores(const FixedChunk& chunk, const FixedQueries& query,
                              const FixedScratch& s, int row, int key, int cell, int run,
                              int n_cells) {
  const std::int32_t* q = query.cells(row);
  const std::ptrdiff_t q_stride = query.stride / 4;
  const std::int32_t* panel = chunk.keys + (std::ptrdiff_t{key} * chunk.scales.key_cells +
                                            std::ptrdiff_t{cell} * kCellPanel);
  const float* key_scale = chunk.scales.key + run * kKeyChunk + key;
  for (int column = 0; column < kCellPanel; column += 16 * kCellVectors) {
    I32x16 sum[R][kCellVectors];
    multiply_cells<R>(q + cell, q_stride, panel + column, n_cells, sum);
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto* q_scale =
          reinterpret_cast<const float*>(q + r * q_stride + chunk.scales.key_cells);
      const F32x16 scale = broadcast(q_scale[run]);
      LEYDEN_UNROLL
      for (int v = 0; v < kCellVectors; ++v) {
        float* score = s.score + (row + r) * kKeyChunk + key + column + 16 * v;
        const F32x16 before = run == 0 ? zero_f32() : load(score);
        store(score, fma(to_f32(sum[r][v]) * load(key_scale + column + 16 * v), scale, before));
      }
    }
  }
}

/// out [R][n_columns] = sum * weight scale.
template <int R>
LEYDEN_INLINE void mix_values(const FixedChunk& chunk, const FixedScratch& s, int row, int dim,
                              int n_keys, float* out, std::ptrdiff_t out_stride) {
  const int value_runs = n_runs(chunk.scales.value_dim);
  const int run = dim / kFixedRun;
  const auto* w = reinterpret_cast<const std::int32_t*>(
      s.w + (std::ptrdiff_t{run} * kFixedRows + row) * kKeyChunk);
  const std::int32_t* panel = chunk.values + std::ptrdiff_t{dim} * (kKeyChunk / 2);
  for (int column = 0; column < kCellPanel; column += 16 * kCellVectors) {
    I32x16 sum[R][kCellVectors];
    multiply_cells<R>(w, kKeyChunk / 2, panel + column, (n_keys + 1) / 2, sum);
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      const F32x16 scale = broadcast(s.w_scale[(row + r) * value_runs + run]);
      LEYDEN_UNROLL
      for (int v = 0; v < kCellVectors; ++v) {
        store_first(out + r * out_stride + dim + column + 16 * v, to_f32(sum[r][v]) * scale,
                    chunk.scales.value_dim - dim - column - 16 * v);
      }
    }
  }
}

/// Calls f.operator()<n>(), n up to R.
template <int R, typename F>
LEYDEN_INLINE void with_constant(int n, const F& f) {
  if constexpr (R > 0) {
    if (n == R) {
      f.template operator()<R>();
    } else {
      with_constant<R - 1>(n, f);
    }
  }
}

/// Largest scale of a run of values among the keys seen; NaN above all.
LEYDEN_INLINE float top_scale(const ChunkScales& chunk, int run, const Seen& keys) {
  if (keys.n == 0) return 0.0f;
  if (keys.choice.words == nullptr) return chunk.value_top[run * kKeyChunk + keys.n - 1];
  F32x16 largest = zero_f32(), sum = zero_f32();
  for (int k = 0; k < keys.n; k += 16) {
    const F32x16 scale = select(keys.lanes(k), load(chunk.value + run * kKeyChunk + k), zero_f32());
    largest = max(scale, largest);
    sum = sum + scale;
  }
  const float total = fold_add(sum);  // of scales, none of which is negative
  return __builtin_isnan(total) ? total : fold_max(largest);
}

/// p of one query becomes weights: put(run, weights) stores those of a run of values, weights(key)
/// being those of sixteen keys.
template <typename Put>
LEYDEN_INLINE void fix_weights(const ChunkScales& chunk, const FixedScratch& s, int row,
                               const Seen& keys, float sum, const Put& put) {
  const float* p = s.score + row * kKeyChunk;
  const int value_runs = n_runs(chunk.value_dim);
  const float by_sum = kFixedWeightSum / sum;                             // infinite without keys
  const float limit = kFixedKeyLimit < by_sum ? kFixedKeyLimit : by_sum;  // NaN stays
  for (int run = 0; run < value_runs; ++run) {
    const float* scale = chunk.value + run * kKeyChunk;
    const float top = top_scale(chunk, run, keys);
    const bool is_zero = top < kSmallestFixed;
    const F32x16 factor = broadcast(is_zero ? 0.0f : limit / top);
    put(
        run, [&](int k) __attribute__((always_inline)) {
          return round_to_i32(load(p + k) * load(scale + k) * factor);
        });
    s.w_scale[row * value_runs + run] = is_zero ? 0.0f : top / limit;
  }
}

/// Up to kFixedRows queries.
LEYDEN_INLINE void attend_fixed_rows(const FixedChunk& chunk, int n_rows, const FixedQueries& query,
                                     const Sights& sights, const AttendPartial& partial,
                                     const FixedScratch& s, Wishes& wishes) {
  const int seen = sights.reach(n_rows);
  const auto in_blocks = [&](const auto& f) __attribute__((always_inline)) {
    for (int row = 0; row < n_rows; row += kCellRows) {
      wishes.ask();
      with_constant<kCellRows>(
          n_rows - row < kCellRows ? n_rows - row : kCellRows, [&]<int R>()
                                                                   __attribute__((always_inline)) {
                                                                     f.template operator()<R>(row);
                                                                   });
    }
  };
  for (int key = 0; key < seen; key += kCellPanel) {
    for (int j = 0; j < chunk.n_sections; ++j) {
      const Section& section = chunk.sections[j];
      const int width = padded(section.width);
      for (int begin = 0; begin < width; begin += kFixedRun) {
        const int n_codes = width - begin < kFixedRun ? width - begin : kFixedRun;
        in_blocks([&]<int R>(int row) __attribute__((always_inline)) {
          add_scores<R>(chunk, query, s, row, key, section.cell + begin / 2,
                        section.run + begin / kFixedRun, n_codes / 2);
        });
      }
    }
  }
  for (int i = 0; i < n_rows; ++i) {
    const Seen keys = sights.of(i);
    exponentiate(s.score + i * kKeyChunk, keys, seen, partial.max + i, partial.sum + i);
    std::int16_t* const w = s.w + std::ptrdiff_t{i} * kKeyChunk;
    fix_weights(
        chunk.scales, s, i, keys,
        partial.sum[i], [&](int run, const auto& weights) __attribute__((always_inline)) {
          for (int k = 0; k < seen; k += 16) {
            store_codes(w + std::ptrdiff_t{run} * kFixedRows * kKeyChunk + k, weights(k));
          }
        });
  }
  for (int dim = 0; dim < chunk.scales.value_dim; dim += kCellPanel) {
    in_blocks([&]<int R>(int row) __attribute__((always_inline)) {
      mix_values<R>(chunk, s, row, dim, seen, partial.out + row * partial.out_stride,
                    partial.out_stride);
    });
  }
}

[[gnu::noinline]] void attend_fixed(const FixedChunk& chunk, int n_queries,
                                    const FixedQueries& query, const Sights& sights,
                                    const AttendPartial& partial, const FixedScratch& s,
                                    Wishes wishes) {
  for (int first = 0; first < n_queries; first += kFixedRows) {
    const int n = n_queries - first < kFixedRows ? n_queries - first : kFixedRows;
    attend_fixed_rows(chunk, n, {query.rows + first * query.stride, query.stride},
                      sights.from(first),
                      {partial.max + first, partial.sum + first,
                       partial.out + first * partial.out_stride, partial.out_stride},
                      s, wishes);
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
