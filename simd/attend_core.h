#pragma once

#include "simd/attend_softmax.h"
#include "simd/layout.h"

/// Attention over one packed chunk in f32, for the kernels of attend.h. Both products, scores and
/// outputs, are the same loop over panels of 32 columns: [keys or value dims / 32][rows][32].
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kPanel = 32;
/// Queries whose scores are kept at once.
constexpr int kScoreRows = 64;

// Rows and vectors of a product that lie in registers at once.
#if defined(LEYDEN_ISA_avx2)
constexpr int kProductRows = 6, kProductVectors = 1;
#else
constexpr int kProductRows = 8, kProductVectors = 2;
#endif

/// c [R, n_columns] = a [R, n] * panel [n, 32], n ascending, n_columns <= 32.
template <int R>
LEYDEN_INLINE void multiply_rows(const float* a, std::ptrdiff_t a_stride, const float* panel, int n,
                                 int n_columns, float* c, std::ptrdiff_t c_stride) {
  for (int column = 0; column < n_columns; column += 16 * kProductVectors) {
    F32x16 sum[R][kProductVectors];
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      LEYDEN_UNROLL
      for (int v = 0; v < kProductVectors; ++v) sum[r][v] = zero_f32();
    }
    const float* b = panel + column;
    for (int i = 0; i < n; ++i, b += kPanel) {
      F32x16 line[kProductVectors];
      LEYDEN_UNROLL
      for (int v = 0; v < kProductVectors; ++v) line[v] = load(b + 16 * v);
      LEYDEN_UNROLL
      for (int r = 0; r < R; ++r) {
        const F32x16 x = broadcast(a[r * a_stride + i]);
        LEYDEN_UNROLL
        for (int v = 0; v < kProductVectors; ++v) sum[r][v] = fma(x, line[v], sum[r][v]);
      }
    }
    LEYDEN_UNROLL
    for (int r = 0; r < R; ++r) {
      LEYDEN_UNROLL
      for (int v = 0; v < kProductVectors; ++v) {
        store_first(c + r * c_stride + column + 16 * v, sum[r][v], n_columns - column - 16 * v);
      }
    }
  }
}

/// The same for any number of rows up to R.
template <int R>
LEYDEN_INLINE void multiply(int n_rows, const float* a, std::ptrdiff_t a_stride, const float* panel,
                            int n, int n_columns, float* c, std::ptrdiff_t c_stride) {
  if constexpr (R > 0) {
    if (n_rows == R) {
      multiply_rows<R>(a, a_stride, panel, n, n_columns, c, c_stride);
    } else {
      multiply<R - 1>(n_rows, a, a_stride, panel, n, n_columns, c, c_stride);
    }
  }
}

/// c [n_columns] of one row goes on with those of the panel's rows from `first` on that it sees.
LEYDEN_INLINE void multiply_on(const float* a, const float* panel, int first, const Seen& keys,
                               int n_columns, float* c) {
  for (int column = 0; column < n_columns; column += 16) {
    F32x16 sum = load_first(c + column, n_columns - column);
    for (int i = first; i < keys.n; ++i) {
      if (!keys.has(i)) continue;
      sum = fma(broadcast(a[i]), load(panel + i * kPanel + column), sum);
    }
    store_first(c + column, sum, n_columns - column);
  }
}

/// One chunk, packed.
struct PackedChunk {
  const float* keys = nullptr;    // [ceil(n_keys / 32)][key_dim][32]
  const float* values = nullptr;  // [ceil(value_dim / 32)][n_keys][32]
  int n_keys = 0, key_dim = 0, value_dim = 0;
};

constexpr std::size_t kScoreBytes = std::size_t{kScoreRows} * kKeyChunk * sizeof(float);

/// Attention of n_queries queries over a packed chunk. scores: kScoreBytes.
LEYDEN_INLINE void attend_packed(const PackedChunk& chunk, int n_queries, const float* query,
                                 std::ptrdiff_t query_stride, const Sights& all_sights,
                                 const AttendPartial& partial, float* scores) {
  for (int first = 0; first < n_queries; first += kScoreRows) {
    const int n_rows = n_queries - first < kScoreRows ? n_queries - first : kScoreRows;
    const Sights sights = all_sights.from(first);
    const int seen = sights.reach(n_rows);
    const float* q = query + first * query_stride;
    for (int k = 0; k < seen; k += kPanel) {
      const float* panel = chunk.keys + std::ptrdiff_t{k} * chunk.key_dim;
      for (int i = 0; i < n_rows; i += kProductRows) {
        const int rows = n_rows - i < kProductRows ? n_rows - i : kProductRows;
        multiply<kProductRows>(rows, q + i * query_stride, query_stride, panel, chunk.key_dim,
                               kPanel, scores + i * kKeyChunk + k, kKeyChunk);
      }
    }
    for (int i = 0; i < n_rows; ++i) {
      exponentiate(scores + i * kKeyChunk, sights.of(i), sights.of(i).n, partial.max + first + i,
                   partial.sum + first + i);
    }
    for (int d = 0; d < chunk.value_dim; d += kPanel) {
      const float* panel = chunk.values + std::ptrdiff_t{d} * chunk.n_keys;
      const int columns = chunk.value_dim - d < kPanel ? chunk.value_dim - d : kPanel;
      for (int i = 0; i < n_rows; i += kProductRows) {
        const int rows = n_rows - i < kProductRows ? n_rows - i : kProductRows;
        const float* const p = scores + i * kKeyChunk;
        float* const out = partial.out + (first + i) * partial.out_stride + d;
        // Of keys that not all see, not even 0 * value: it isn't 0 if the value isn't finite.
        int shared = sights.shared(i, rows);
        multiply<kProductRows>(rows, p, kKeyChunk, panel, shared, columns, out, partial.out_stride);
        for (int r = 0; r < rows; ++r) {
          const Seen keys = sights.of(i + r);
          if (keys.n == shared) continue;
          multiply_on(p + r * kKeyChunk, panel, shared, keys, columns,
                      out + r * partial.out_stride);
        }
      }
    }
  }
}

/// Packs keys `first` .. first + 15 (those beyond n become zeros) of width key_dim.
LEYDEN_INLINE void pack_keys(const float* const* row, int n, int first, int key_dim, float* keys) {
  float* panel = keys + std::ptrdiff_t{first / kPanel * kPanel} * key_dim + first % kPanel;
  for (int d = 0; d < key_dim; d += 16) {
    F32x16 block[16];
    LEYDEN_UNROLL
    for (int i = 0; i < 16; ++i) {
      block[i] = i < n ? load_first(row[i] + d, key_dim - d) : zero_f32();
    }
    transpose(block);
    const int n_dims = key_dim - d < 16 ? key_dim - d : 16;
    if (n_dims == 16) {
      LEYDEN_UNROLL
      for (int i = 0; i < 16; ++i) store(panel + (d + i) * kPanel, block[i]);
    } else {
      for (int i = 0; i < n_dims; ++i) store(panel + (d + i) * kPanel, block[i]);
    }
  }
}

/// Packs the value of one key, zero-padded to whole panels.
LEYDEN_INLINE void pack_value(const float* row, int value_dim, int key, int n_keys, float* values) {
  for (int d = 0; d < value_dim; d += 16) {
    float* line = values + (std::ptrdiff_t{d / kPanel} * n_keys + key) * kPanel + d % kPanel;
    store(line, load_first(row + d, value_dim - d));
    if (d % kPanel == 0 && d + 16 >= value_dim) store(line + 16, zero_f32());
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
