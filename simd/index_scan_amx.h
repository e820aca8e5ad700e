#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/amx_tiles.h"
#include "simd/index_scan.h"

// Scores of int8 keys with AMX: half a tile of keys is a tile register as it lies in memory, and
// one of queries is 16 heads. For index_scan.kernel.cc.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kAmxDim = 128;
constexpr int kAmxHeads = 2 * kAmxRows;  // whose queries lie in registers
constexpr std::ptrdiff_t kAmxKeyBytes = std::ptrdiff_t{kAmxDim} * kTileRows;
constexpr std::ptrdiff_t kAmxTileBytes = kAmxKeyBytes + kLine;  // and the keys' scales
/// How far reads are ahead of their use (bench/RESULTS.md).
constexpr std::ptrdiff_t kAmxAheadBytes = 8 * kAmxTileBytes;

LEYDEN_INLINE bool has_amx_form(const IndexQuery& query) {
  return query.dim == kAmxDim && query.n_heads % kAmxHeads == 0;
}

/// Sums of products, offset included, of kAmxHeads heads and the keys of some tiles.
template <int kTiles>
struct AmxDots {
  alignas(kLine) std::int32_t dot[kTiles][kAmxHeads][kTileRows];
};

/// Tile registers: 0, 1 dots; 2 .. 5 queries, by heads and halves of the dimensions; 6, 7 keys.
LEYDEN_INLINE void load_queries(const std::int8_t* q) {
  tile_load<2>(q, kAmxDim);
  tile_load<3>(q + kAmxRowBytes, kAmxDim);
  tile_load<4>(q + kAmxRows * kAmxDim, kAmxDim);
  tile_load<5>(q + kAmxRows * kAmxDim + kAmxRowBytes, kAmxDim);
}

LEYDEN_INLINE void multiply_keys(const std::byte* tile, std::int32_t (*dot)[kTileRows]) {
  tile_zero<0>();
  tile_load<6>(tile, kLine);
  tile_dot_i8_u8<0, 2, 6>();
  tile_zero<1>();
  tile_dot_i8_u8<1, 4, 6>();
  tile_load<7>(tile + kAmxKeyBytes / 2, kLine);
  tile_dot_i8_u8<0, 3, 7>();
  tile_dot_i8_u8<1, 5, 7>();
  tile_store<0>(dot, kLine);
  tile_store<1>(dot + kAmxRows, kLine);
}

/// score[t][16] += weight * relu(q_start + dot), heads ascending.
template <int kTiles>
LEYDEN_INLINE void add_heads(const AmxDots<kTiles>& dots, const std::int32_t* q_start,
                             const float* weight, float* score) {
  F32x16 sum[kTiles];
  LEYDEN_UNROLL
  for (int t = 0; t < kTiles; ++t) sum[t] = load(score + t * kTileRows);
  for (int h = 0; h < kAmxHeads; ++h) {
    const F32x16 w = broadcast(weight[h]);
    const I32x16 start = broadcast_i32(q_start[h]);
    LEYDEN_UNROLL
    for (int t = 0; t < kTiles; ++t) {
      sum[t] = fma(w, max(zero_f32(), to_f32(load(dots.dot[t][h]) + start)), sum[t]);
    }
  }
  LEYDEN_UNROLL
  for (int t = 0; t < kTiles; ++t) store(score + t * kTileRows, sum[t]);
}

/// Lines that will be wanted soon, asked for a few at a time: from some way into a run of tiles to
/// its end, then those of the run that comes next.
struct KeysAhead {
  const std::byte* at;
  const std::byte* end;
  const std::byte* next;

  LEYDEN_INLINE KeysAhead of(const IndexScanArgs& args) {
    const std::ptrdiff_t n_tiles = (args.n_keys + kTileRows - 1) / kTileRows;
    return {args.tiles + kAmxAheadBytes, args.tiles + n_tiles * kAmxTileBytes, args.next};
  }

  [[gnu::always_inline]] void ask(std::ptrdiff_t n_lines) {
    for (; n_lines > 0; --n_lines, at += kLine) {
      if (at >= end) {
        if (next == nullptr) return;
        at = next;
        end = next + kAmxAheadBytes;
        next = nullptr;
      }
      _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T1);
    }
  }
};

/// score [n_tiles, 16] of whole tiles. While the registers multiply one step's keys, the scores of
/// the step before are summed. `ahead` is null if the keys are in a cache already.
template <int kMaxTiles>
LEYDEN_INLINE void score_tiles_amx(const std::byte* tiles, int n_tiles, const IndexQuery& query,
                                   KeysAhead* ahead, float (&score)[kMaxTiles][kTileRows]) {
  constexpr int kTiles = 4;
  static_assert(kMaxTiles % kTiles == 0);
  AmxDots<kTiles> dots[2];
  int before_h = 0, before_tile = -1, step = 0;
  const auto add_step_before = [&]() __attribute__((always_inline)) {
    add_heads(dots[step ^ 1], query.q_start + before_h, query.weight + before_h,
              score[before_tile]);
  };
  const std::ptrdiff_t lines = kAmxTileBytes / kLine * kAmxHeads / query.n_heads + 1;
  for (int t = 0; t < kMaxTiles; ++t) store(score[t], zero_f32());
  for (int tile = 0; tile < n_tiles; tile += kTiles) {
    for (int h = 0; h < query.n_heads; h += kAmxHeads) {
      load_queries(query.q + std::ptrdiff_t{h} * kAmxDim);
      for (int t = 0; t < kTiles && tile + t < n_tiles; ++t) {
        multiply_keys(tiles + (tile + t) * kAmxTileBytes, dots[step].dot[t]);
        if (ahead != nullptr) ahead->ask(lines);
      }
      if (before_tile >= 0) add_step_before();
      before_h = h;
      before_tile = tile;
      step ^= 1;
    }
  }
  add_step_before();
  for (int t = 0; t < n_tiles; ++t) {
    const auto* scales = reinterpret_cast<const float*>(tiles + t * kAmxTileBytes + kAmxKeyBytes);
    store(score[t], load(scales) * load(score[t]));
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
