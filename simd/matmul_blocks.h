#pragma once

#include "simd/matmul.h"
#include "simd/vec_rows.h"

// What the integer products read: blocks of int8 or int4 weights, and activations. A register holds
// a column quad of kRows output rows. For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kQuads = kGroup / 4;
constexpr int kRowBytes = kRows * 4;  // of one quad in one register

// Weights come from memory, and the hardware's prefetcher, which does most of the work, must be led
// (bench/RESULTS.md): lines are asked for kBlocksAhead blocks before they are used, a few at a time
// and in step with those that are used. Up to kHastyTokens tokens use them so quickly that they
// have to be brought all the way to the first level; with more tokens that would take its fill
// buffers from the activations.
template <typename Format, int kTokens>
LEYDEN_INLINE void prefetch_weights(const std::byte* line) {
  _mm_prefetch(reinterpret_cast<const char*>(line),
               kTokens <= Format::kHastyTokens ? _MM_HINT_T0 : _MM_HINT_T1);
}
/// Keeps reads and what leads them in the order they are written.
LEYDEN_INLINE void in_this_order() { asm volatile("" ::: "memory"); }

struct Int8 {
  using Quad = OffsetRows;
  static constexpr int kOffset = kInt8Offset;
  static constexpr std::size_t kBytes = kBlockBytesInt8;
  static constexpr int kLinesPerGroup = kQuads;
  static constexpr int kHastyTokens = 4;
  static constexpr int kBlocksAhead = 3;

  /// Quads i and i + 1 of group g.
  [[gnu::always_inline]] void two_quads(const std::byte* block, int g, int i, int half,
                                        Quad* w) const {
    const std::byte* line = block + kBlockScaleBytes + (g * kQuads + i) * kLine + half * kRowBytes;
    w[0] = prepare_offset128(load_rows_bytes(line));
    w[1] = prepare_offset128(load_rows_bytes(line + kLine));
  }
  LEYDEN_INLINE const std::int32_t* starts(const ActivationPanel& p) { return p.start_int8; }
  LEYDEN_INLINE I32Rows start(std::int32_t s) { return start_rows_offset128(s); }
  LEYDEN_INLINE I32Rows dot(I32Rows acc, Quad w, auto q) { return dot_offset128(acc, w, q); }
};

struct Int4 {
  using Quad = I8Rows;
  static constexpr int kOffset = kInt4Offset;
  static constexpr std::size_t kBytes = kBlockBytesInt4;
  static constexpr int kLinesPerGroup = kQuads / 2;
  static constexpr int kHastyTokens = 1;
  static constexpr int kBlocksAhead = 5;
  I8Rows table;

  [[gnu::always_inline]] void two_quads(const std::byte* block, int g, int i, int half,
                                        Quad* w) const {
    const std::byte* line =
        block + kBlockScaleBytes + (g * kQuads + i) / 2 * kLine + half * kRowBytes;
    const I8Rows pair = load_rows_bytes(line);
    w[0] = look_up_low(table, pair);
    w[1] = look_up_high(table, pair);
  }
  LEYDEN_INLINE const std::int32_t* starts(const ActivationPanel& p) { return p.start_int4; }
  LEYDEN_INLINE I32Rows start(std::int32_t s) { return broadcast_rows(s); }
  LEYDEN_INLINE I32Rows dot(I32Rows acc, Quad w, auto q) { return dot_u7(acc, w, q); }
};

/// A format for Lead::kFarL2.
template <typename Format>
struct FarThroughL2 : Format {
  static constexpr int kHastyTokens = 0;
  static constexpr int kBlocksAhead = 12 * 1024 / Format::kBytes;
};

LEYDEN_INLINE F32Rows load_scale(const std::byte* block, int g, int half) {
  return load_rows_fp16(block + (g * kTileRows + half * kRows) * 2);
}

/// What kFloatBias will have added to a part, to be taken out before.
LEYDEN_INLINE F32Rows load_bias(const std::byte* block, int half) {
  const F32Rows first = load_scale(block, 0, half) + load_scale(block, 1, half);
  const F32Rows last = load_scale(block, 2, half) + load_scale(block, 3, half);
  return broadcast_rows(-kFloatBias) * (first + last);
}

LEYDEN_INLINE int tiles_of(const MatmulArgs& args) {
  return (args.n_rows + kTileRows - 1) / kTileRows;
}

/// The blocks of a run of tiles, one after the other, and those that are to be read ahead
/// meanwhile.
template <typename Format>
struct Blocks {
  const std::byte* block;
  const std::byte* ahead;
  const std::byte* end;   // of this run's
  const std::byte* next;  // read after them

  /// Tiles first_tile to first_tile + n_tiles of the call; what the caller reads next is expected
  /// to be cut likewise.
  LEYDEN_INLINE Blocks of(const MatmulArgs& args, int first_tile, int n_tiles) {
    const std::ptrdiff_t tile_bytes = args.n_blocks * std::ptrdiff_t{Format::kBytes};
    const std::byte* const begin = args.tiles + first_tile * tile_bytes;
    const std::byte* const end = begin + n_tiles * tile_bytes;
    const std::byte* const next = args.next != nullptr ? args.next + first_tile * tile_bytes : end;
    const std::ptrdiff_t n = std::ptrdiff_t{n_tiles} * args.n_blocks;
    const std::ptrdiff_t past = Format::kBlocksAhead - n;
    return {begin,
            past < 0 ? begin + Format::kBlocksAhead * Format::kBytes : next + past * Format::kBytes,
            end, next};
  }
  [[gnu::always_inline]] void advance() {
    block += Format::kBytes;
    ahead += Format::kBytes;
    if (ahead == end) ahead = next;
  }
};

/// Where the tokens of a block lie, from the next one on.
struct Cell {
  const std::int8_t* q;        // [.., 128]
  const std::int32_t* starts;  // [.., 4]
  const float* scale;          // [..]
};

LEYDEN_INLINE Cell next(const Cell& cell, int n_tokens) {
  return {cell.q + n_tokens * kBlock, cell.starts + n_tokens * kGroupsPerBlock,
          cell.scale + n_tokens};
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
