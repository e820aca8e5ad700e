#pragma once

#include "simd/attend_softmax.h"
#include "simd/fixed_pack.h"

/// Attention over one packed chunk in fixed point (simd/attend.h), for kernels. Scores and outputs
/// are the same integer product with the panels of simd/fixed_pack.h.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Queries that are worked on at once: their codes, scores and weights stay in the second cache.
constexpr int kFixedRows = 32;

// Rows and vectors of a product that lie in registers at once.
#if defined(LEYDEN_ISA_avx2)
constexpr int kPairRows = 4, kPairVectors = 1;
#else
constexpr int kPairRows = 8, kPairVectors = 2;
#endif

/// A part of a row whose runs begin anew.
struct Section {
  int begin;  // first value in the caller's row
  int width;
  int code;  // first code in the padded row of codes
  int run;   // first scale
};

/// One packed chunk.
struct FixedChunk {
  const std::int16_t* keys;    // [key panels][key_width / 2][32][2], unused columns zero
  const float* key_scale;      // [key_runs][kKeyChunk]
  const std::int16_t* values;  // [value panels][kKeyChunk / 2][32][2]
  const float* value_scale;    // [n_runs(value_dim)][kKeyChunk]
  const float* value_top;      // the same shape: the largest scale up to this key
  Section sections[2];         // of a key
  int n_sections, key_width, key_runs, n_keys, value_dim;
};

/// Working space of attend_fixed.
struct FixedScratch {
  std::int16_t* q;  // [kFixedRows, key_width]
  float* q_scale;   // [kFixedRows, key_runs]
  float* score;     // [kFixedRows, kKeyChunk]
  std::int16_t* w;  // [kFixedRows, value runs, kKeyChunk]
  float* w_scale;   // [kFixedRows, value runs]
};

/// sum [R][kPairVectors] = rows a [R, 2 * n_pairs] times panel [n_pairs][32][2], exact.
template <int R>
LEYDEN_INLINE void multiply_pairs(const std::int16_t* a, std::ptrdiff_t a_stride,
                                  const std::int16_t* panel, int n_pairs,
                                  I32x16 (&sum)[R][kPairVectors]) {
  LEYDEN_UNROLL
  for (int r = 0; r < R; ++r) {
    LEYDEN_UNROLL
    for (int v = 0; v < kPairVectors; ++v) sum[r][v] = zero_i32();
  }
  for (int i = 0; i < n_pairs; ++i, a += 2, panel += 2 * kPairPanel) {
    I32x16 line[kPairVectors];
    LEYDEN_UNROLL
    for (int v = 0; v < kPairVectors; ++v) {
      line[v] = load(reinterpret_cast<const std::int32_t*>(panel) + 16 * v);
    }
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      std::int32_t pair;
      __builtin_memcpy(&pair, a + r * a_stride, 4);
      LEYDEN_UNROLL
      for (int v = 0; v < kPairVectors; ++v) {
        sum[r][v] = dot_i16(sum[r][v], line[v], broadcast_i32(pair));
      }
    }
  }
}

/// score [R][32] gets one run of the key panel: fma(sum * key scale, query scale, score).
template <int R>
LEYDEN_INLINE void add_scores(const FixedChunk& chunk, const FixedScratch& s, int row, int key,
                              int code, int run, int n_codes) {
  const std::int16_t* q = s.q + std::ptrdiff_t{row} * chunk.key_width + code;
  const std::int16_t* panel =
      chunk.keys + (std::ptrdiff_t{key} * chunk.key_width + std::ptrdiff_t{code} * kPairPanel);
  const float* key_scale = chunk.key_scale + run * kKeyChunk + key;
  for (int column = 0; column < kPairPanel; column += 16 * kPairVectors) {
    I32x16 sum[R][kPairVectors];
    multiply_pairs<R>(q, chunk.key_width, panel + 2 * column, n_codes / 2, sum);
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      const F32x16 scale = broadcast(s.q_scale[(row + r) * chunk.key_runs + run]);
      LEYDEN_UNROLL
      for (int v = 0; v < kPairVectors; ++v) {
        float* score = s.score + (row + r) * kKeyChunk + key + column + 16 * v;
        const F32x16 before = run == 0 ? zero_f32() : load(score);
        store(score, fma(to_f32(sum[r][v]) * load(key_scale + column + 16 * v), scale, before));
      }
    }
  }
}

/// out [R][n_columns] gets one run of keys: fma(sum, weight scale, out).
template <int R>
LEYDEN_INLINE void add_values(const FixedChunk& chunk, const FixedScratch& s, int row, int dim,
                              int key, int n_keys, float* out, std::ptrdiff_t out_stride) {
  const int value_runs = n_runs(chunk.value_dim);
  const int run = dim / kFixedRun;
  const std::int16_t* w = s.w + (std::ptrdiff_t{row} * value_runs + run) * kKeyChunk + key;
  const std::int16_t* panel =
      chunk.values + (std::ptrdiff_t{dim} * kKeyChunk + std::ptrdiff_t{key} * kPairPanel);
  for (int column = 0; column < kPairPanel; column += 16 * kPairVectors) {
    I32x16 sum[R][kPairVectors];
    multiply_pairs<R>(w, std::ptrdiff_t{value_runs} * kKeyChunk, panel + 2 * column,
                      (n_keys + 1) / 2, sum);
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      const F32x16 scale = broadcast(s.w_scale[(row + r) * value_runs + run]);
      LEYDEN_UNROLL
      for (int v = 0; v < kPairVectors; ++v) {
        const int left = chunk.value_dim - dim - column - 16 * v;
        float* o = out + r * out_stride + dim + column + 16 * v;
        const F32x16 before = key == 0 ? zero_f32() : load_first(o, left);
        store_first(o, fma(to_f32(sum[r][v]), scale, before), left);
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

/// p of one query becomes weights, zeros from n_visible up to the last key of n_keys' pair.
LEYDEN_INLINE void fix_weights(const FixedChunk& chunk, const FixedScratch& s, int row,
                               int n_visible, int n_keys) {
  const float* p = s.score + row * kKeyChunk;
  const int value_runs = n_runs(chunk.value_dim);
  for (int run = 0; run < value_runs; ++run) {
    const float* scale = chunk.value_scale + run * kKeyChunk;
    const float top = n_visible > 0 ? chunk.value_top[run * kKeyChunk + n_visible - 1] : 0.0f;
    const bool is_zero = top < kSmallestQuantized;
    const F32x16 inverse = broadcast(is_zero ? 0.0f : kFixedLimit / top);
    std::int16_t* w = s.w + (std::ptrdiff_t{row} * value_runs + run) * kKeyChunk;
    for (int k = 0; k < n_keys; k += 16) {
      store_codes(w + k, round_to_i32(load(p + k) * load(scale + k) * inverse));
    }
    s.w_scale[row * value_runs + run] = is_zero ? 0.0f : top / kFixedLimit;
  }
}

/// Up to kFixedRows queries.
LEYDEN_INLINE void attend_fixed_rows(const FixedChunk& chunk, int n_rows, const float* query,
                                     std::ptrdiff_t query_stride, const std::int32_t* n_visible,
                                     const AttendPartial& partial, const FixedScratch& s) {
  int seen = 0;  // keys that any of these queries sees
  for (int i = 0; i < n_rows; ++i) {
    const int n = n_visible == nullptr ? chunk.n_keys : n_visible[i];
    if (n > seen) seen = n;
    for (int j = 0; j < chunk.n_sections; ++j) {
      const Section& section = chunk.sections[j];
      fix_row(F32Row{query + i * query_stride + section.begin}, section.width,
              s.q + std::ptrdiff_t{i} * chunk.key_width + section.code,
              s.q_scale + i * chunk.key_runs + section.run, 1);
    }
  }
  for (int key = 0; key < seen; key += kPairPanel) {
    for (int j = 0; j < chunk.n_sections; ++j) {
      const int width = padded(chunk.sections[j].width);
      for (int begin = 0; begin < width; begin += kFixedRun) {
        const int n_codes = width - begin < kFixedRun ? width - begin : kFixedRun;
        const int run = chunk.sections[j].run + begin / kFixedRun;
        for (int row = 0; row < n_rows; row += kPairRows) {
          with_constant<kPairRows>(
              n_rows - row < kPairRows ? n_rows - row : kPairRows, [&]<int R>() __attribute__((
                                                                       always_inline)) {
                add_scores<R>(chunk, s, row, key, chunk.sections[j].code + begin, run, n_codes);
              });
        }
      }
    }
  }
  for (int i = 0; i < n_rows; ++i) {
    const int n = n_visible == nullptr ? chunk.n_keys : n_visible[i];
    exponentiate(s.score + i * kKeyChunk, n, seen, partial.max + i, partial.sum + i);
    fix_weights(chunk, s, i, n, seen);
  }
  for (int dim = 0; dim < chunk.value_dim; dim += kPairPanel) {
    int key = 0;
    do {  // once for no keys at all, which writes zeros
      const int n_keys = seen - key < kFixedRun ? seen - key : kFixedRun;
      for (int row = 0; row < n_rows; row += kPairRows) {
        with_constant<kPairRows>(
            n_rows - row < kPairRows ? n_rows - row : kPairRows, [&]<int R>() __attribute__((
                                                                     always_inline)) {
              add_values<R>(chunk, s, row, dim, key, n_keys, partial.out + row * partial.out_stride,
                            partial.out_stride);
            });
      }
      key += kFixedRun;
    } while (key < seen);
  }
}

[[gnu::noinline]] void attend_fixed(const FixedChunk& chunk, int n_queries, const float* query,
                                    std::ptrdiff_t query_stride, const std::int32_t* n_visible,
                                    const AttendPartial& partial, const FixedScratch& s) {
  for (int first = 0; first < n_queries; first += kFixedRows) {
    const int n = n_queries - first < kFixedRows ? n_queries - first : kFixedRows;
    attend_fixed_rows(chunk, n, query + first * query_stride, query_stride,
                      n_visible == nullptr ? nullptr : n_visible + first,
                      {partial.max + first, partial.sum + first,
                       partial.out + first * partial.out_stride, partial.out_stride},
                      s);
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
