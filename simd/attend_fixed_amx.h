#pragma once

#include "simd/attend_fixed_amx_pack.h"

/// Attention in fixed point (simd/attend.h) with AMX. Of factors in two bytes each, a sum of
/// products is
///   65536 sum a1 b1 + 256 (sum a1 b0 + sum a0 b1) + sum a0 b0
/// modulo 2^32, which is exact, because a sum of products of codes stays below 2^31; with int8
/// latents it is 256 sum a1 b + sum a0 b.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Sums of products of two kinds of bytes, or of three.
template <int kBytes>
struct AmxSums {
  alignas(kLine) std::int32_t part[kBytes + 1][kAmxRows][kAmxRows];

  [[gnu::always_inline]] I32x16 row(int r) const {
    const I32x16 sum = shift_left<8>(load(part[0][r])) + load(part[1][r]);
    return kBytes == 1 ? sum : shift_left<8>(sum) + load(part[kBytes][r]);
  }
};

/// A run of a key for sixteen queries: score[r][key] = fma(sum * key scale, query scale, score).
struct AmxRun {
  const std::byte* keys;   // tile registers of one or two steps
  const std::byte* query;  // c1 of [16][query_width], c0 behind all of them
  std::ptrdiff_t query_width;
  const float* key_scale;    // [kKeyChunk]
  const float* query_scale;  // [16]
  bool is_first;
};

template <int kBytes>
LEYDEN_INLINE void add_run(const AmxRun& run, const AmxSums<kBytes>& sums, int key, float* score) {
  const F32x16 key_scale = load(run.key_scale + key);
  LEYDEN_UNROLL
  for (int r = 0; r < kAmxRows; ++r) {
    float* to = score + r * kKeyChunk + key;
    const F32x16 before = run.is_first ? zero_f32() : load(to);
    store(to, fma(to_f32(sums.row(r)) * key_scale, broadcast(run.query_scale[r]), before));
  }
}

/// Tile registers: 0 .. 3 queries (c1 and c0 of each step), 4 .. 6 sums, 7 keys. While they
/// multiply one tile of keys, the scores of the tile before are added.
template <int kBytes, int kSteps>
LEYDEN_INLINE void score_run(const AmxRun& run, int n_tiles, float* score, Wishes& wishes) {
  const std::byte* const low = run.query + kAmxRows * run.query_width;
  tile_load<0>(run.query, run.query_width);
  tile_load<1>(low, run.query_width);
  if constexpr (kSteps == 2) {
    tile_load<2>(run.query + kAmxRowBytes, run.query_width);
    tile_load<3>(low + kAmxRowBytes, run.query_width);
  }
  AmxSums<kBytes> sums[2];
  for (int tile = 0; tile < n_tiles; ++tile) {
    const std::byte* keys = run.keys + tile * kBytes * kAmxBytes;
    tile_zero<4>();
    tile_zero<5>();
    if constexpr (kBytes == 2) tile_zero<6>();
    tile_load<7>(keys, kAmxRowBytes);
    tile_dot_i8_i8<4, 0, 7>();
    tile_dot_u8_i8<5, 1, 7>();
    if constexpr (kBytes == 2) {
      tile_load<7>(keys + kAmxBytes, kAmxRowBytes);
      tile_dot_i8_u8<5, 0, 7>();
      tile_dot_u8_u8<6, 1, 7>();
    }
    if constexpr (kSteps == 2) {
      keys += kAmxKeyTiles * kBytes * kAmxBytes;
      tile_load<7>(keys, kAmxRowBytes);
      tile_dot_i8_i8<4, 2, 7>();
      tile_dot_u8_i8<5, 3, 7>();
      if constexpr (kBytes == 2) {
        tile_load<7>(keys + kAmxBytes, kAmxRowBytes);
        tile_dot_i8_u8<5, 2, 7>();
        tile_dot_u8_u8<6, 3, 7>();
      }
    }
    AmxSums<kBytes>& to = sums[tile % 2];
    tile_store<4>(to.part[0], kLine);
    tile_store<5>(to.part[1], kLine);
    if constexpr (kBytes == 2) tile_store<6>(to.part[2], kLine);
    wishes.ask();
    if (tile > 0) add_run(run, sums[(tile - 1) % 2], (tile - 1) * kAmxRows, score);
  }
  if (n_tiles > 0) add_run(run, sums[(n_tiles - 1) % 2], (n_tiles - 1) * kAmxRows, score);
}

/// A part of a key whose runs begin anew, `width` codes of kBytes bytes.
struct AmxSection {
  const std::byte* keys;  // [width / 64][kAmxKeyTiles][bytes] tile registers
  int width, bytes;
};

/// One packed chunk.
struct AmxChunk {
  ChunkScales scales;
  AmxSection sections[2];
  int n_sections;
  const std::byte* values;  // [value_dim / 16][kAmxKeySteps][value_bytes] tile registers
  int value_bytes;
};

/// Scores of sixteen queries, whose bytes lie in `query`, scales in query_scale [runs][16].
LEYDEN_INLINE void score_keys(const AmxChunk& chunk, int n_tiles, const std::byte* query,
                              int query_width, const float* query_scale, float* score,
                              Wishes& wishes) {
  int run_number = 0, code = 0;
  for (int j = 0; j < chunk.n_sections; ++j) {
    const AmxSection& section = chunk.sections[j];
    const std::byte* keys = section.keys;
    for (int begin = 0; begin < section.width; begin += kFixedRun, ++run_number) {
      const AmxRun run = {keys,
                          query + code,
                          query_width,
                          chunk.scales.key + run_number * kKeyChunk,
                          query_scale + run_number * kAmxRows,
                          run_number == 0};
      const bool is_whole = section.width - begin >= kFixedRun;
      if (section.bytes == 1) {
        if (is_whole) {
          score_run<1, 2>(run, n_tiles, score, wishes);
        } else {
          score_run<1, 1>(run, n_tiles, score, wishes);
        }
      } else if (is_whole) {
        score_run<2, 2>(run, n_tiles, score, wishes);
      } else {
        score_run<2, 1>(run, n_tiles, score, wishes);
      }
      keys += std::ptrdiff_t{kAmxRunSteps} * kAmxKeyTiles * section.bytes * kAmxBytes;
      code += is_whole ? kFixedRun : kAmxRowBytes;
    }
  }
}

/// Weights of sixteen queries: c1 of [16][runs][kKeyChunk], c0 behind all of them.
struct AmxWeights {
  std::byte* high;
  std::ptrdiff_t stride;  // from one query to the next
  [[gnu::always_inline]] std::byte* low() const { return high + kAmxRows * stride; }
};

/// Sixteen dimensions of sixteen outputs. Tile registers: 0 .. 2 sums, 4, 5 weights, 6, 7 values.
template <int kBytes>
LEYDEN_INLINE void multiply_values(const std::byte* values, const AmxWeights& weights, int run,
                                   int n_steps, AmxSums<kBytes>& sums) {
  tile_zero<0>();
  tile_zero<1>();
  if constexpr (kBytes == 2) tile_zero<2>();
  for (int step = 0; step < n_steps; ++step, values += kBytes * kAmxBytes) {
    const std::ptrdiff_t at = std::ptrdiff_t{run} * kKeyChunk + step * kAmxRowBytes;
    tile_load<4>(weights.high + at, weights.stride);
    tile_load<6>(values, kAmxRowBytes);
    tile_dot_i8_i8<0, 4, 6>();
    tile_load<5>(weights.low() + at, weights.stride);
    tile_dot_u8_i8<1, 5, 6>();
    if constexpr (kBytes == 2) {
      tile_load<7>(values + kAmxBytes, kAmxRowBytes);
      tile_dot_i8_u8<1, 4, 7>();
      tile_dot_u8_u8<2, 5, 7>();
    }
  }
  tile_store<0>(sums.part[0], kLine);
  tile_store<1>(sums.part[1], kLine);
  if constexpr (kBytes == 2) tile_store<2>(sums.part[2], kLine);
}

/// out [n_rows][value_dim] = sum * weight scale. While the registers multiply sixteen dimensions,
/// the sixteen before are written. (Thirty-two at a time, with weights loaded half as often, gain
/// nothing.)
template <int kBytes>
LEYDEN_INLINE void mix_values(const AmxChunk& chunk, const AmxWeights& weights, int n_rows,
                              int n_steps, const float* w_scale, float* out,
                              std::ptrdiff_t out_stride, Wishes& wishes) {
  const int value_dim = chunk.scales.value_dim, value_runs = n_runs(value_dim);
  AmxSums<kBytes> sums[2];
  const auto write = [&](int dim) __attribute__((always_inline)) {
    const AmxSums<kBytes>& from = sums[dim / kAmxRows % 2];
    for (int r = 0; r < n_rows; ++r) {
      const F32x16 scale = broadcast(w_scale[r * value_runs + dim / kFixedRun]);
      store(out + r * out_stride + dim, to_f32(from.row(r)) * scale);
    }
  };
  for (int dim = 0; dim < value_dim; dim += kAmxRows) {
    const std::byte* values =
        chunk.values + std::ptrdiff_t{dim / kAmxRows} * kAmxKeySteps * kBytes * kAmxBytes;
    multiply_values(values, weights, dim / kFixedRun, n_steps, sums[dim / kAmxRows % 2]);
    wishes.ask();
    if (dim > 0) write(dim - kAmxRows);
  }
  write(value_dim - kAmxRows);
}

/// Up to sixteen queries; query_bytes [2][16][query_width] is working space.
LEYDEN_INLINE void attend_amx_rows(const AmxChunk& chunk, int n_rows, const FixedQueries& query,
                                   std::byte* query_bytes, const Sights& sights,
                                   const AttendPartial& partial, const FixedScratch& s,
                                   Wishes& wishes) {
  const int query_width = chunk.scales.key_cells * 2;
  const int seen = sights.reach(n_rows);
  alignas(kLine) float query_scale[kAmxMaxRuns][kAmxRows] = {};
  for (int r = 0; r < n_rows; ++r) {
    std::byte* high = query_bytes + std::ptrdiff_t{r} * query_width;
    split_codes(reinterpret_cast<const std::int16_t*>(query.cells(r)), query_width, high,
                high + std::ptrdiff_t{kAmxRows} * query_width);
    const auto* scale = reinterpret_cast<const float*>(query.cells(r) + chunk.scales.key_cells);
    for (int run = 0; run < chunk.scales.key_runs; ++run) query_scale[run][r] = scale[run];
  }
  score_keys(chunk, (seen + kAmxRows - 1) / kAmxRows, query_bytes, query_width, query_scale[0],
             s.score, wishes);

  const int n_steps = (seen + kAmxRowBytes - 1) / kAmxRowBytes;
  const std::ptrdiff_t stride = std::ptrdiff_t{n_runs(chunk.scales.value_dim)} * kKeyChunk;
  const AmxWeights weights = {reinterpret_cast<std::byte*>(s.w), stride};
  for (int r = 0; r < n_rows; ++r) {
    const Seen keys = sights.of(r);
    exponentiate(s.score + r * kKeyChunk, keys, n_steps * kAmxRowBytes, partial.max + r,
                 partial.sum + r);
    std::byte* const high = weights.high + r * stride;
    std::byte* const low = weights.low() + r * stride;
    // p of keys that nobody sees is zero, and whatever stands in the place of their scales, so are
    // the two low bytes of a weight: NaN becomes 0x80000000.
    fix_weights(
        chunk.scales, s, r, keys,
        partial.sum[r], [&](int run, const auto& weights_of) __attribute__((always_inline)) {
          for (int k = 0; k < n_steps * kAmxRowBytes; k += kAmxRowBytes) {
            I32x16 codes[4];
            LEYDEN_UNROLL
            for (int j = 0; j < 4; ++j) codes[j] = weights_of(k + 16 * j);
            const int at = run * kKeyChunk + k;
            store_code_bytes(codes, high + at, low + at);
          }
        });
  }
  if (chunk.value_bytes == 1) {
    mix_values<1>(chunk, weights, n_rows, n_steps, s.w_scale, partial.out, partial.out_stride,
                  wishes);
  } else {
    mix_values<2>(chunk, weights, n_rows, n_steps, s.w_scale, partial.out, partial.out_stride,
                  wishes);
  }
}

[[gnu::noinline]] void attend_amx(const AmxChunk& chunk, int n_queries, const FixedQueries& query,
                                  std::byte* query_bytes, const Sights& sights,
                                  const AttendPartial& partial, const FixedScratch& s,
                                  Wishes wishes) {
  begin_tiles(AmxShapes::whole());
  for (int first = 0; first < n_queries; first += kAmxRows) {
    const int n = n_queries - first < kAmxRows ? n_queries - first : kAmxRows;
    attend_amx_rows(chunk, n, {query.rows + first * query.stride, query.stride}, query_bytes,
                    sights.from(first),
                    {partial.max + first, partial.sum + first,
                     partial.out + first * partial.out_stride, partial.out_stride},
                    s, wishes);
  }
  end_tiles();
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
