#pragma once

#include "simd/amx_tiles.h"
#include "simd/matmul_blocks.h"

// Integer products with many tokens by AMX: sixteen tokens times two tiles of rows at a time. A
// group of columns has its own scale, so its sums leave the tile registers, and the float steps of
// simd/matmul.h are done on sixteen tokens while the registers multiply for the next sixteen. For
// *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Fewer tokens are left to simd/matmul_many.h: a tile register of few rows takes as long as a full
/// one (bench/RESULTS.md).
constexpr int kAmxTokens = 16;
constexpr int kAmxTiles = 2;
/// What is read ahead, of each tile.
constexpr int kAmxBlocksAhead = 8;

/// The caller's scratch.
struct AmxWork {
  std::byte weights[kAmxTiles][kGroupsPerBlock][kQuads][kLine];  // of one block, int8
  // Twice, in turn: sums of the groups of a block, as floats (kFloatBiasBits)
  std::int32_t dots[2][kGroupsPerBlock][kAmxTiles][kAmxRows][kTileRows];
  float sums[kPanelTokens][kAmxTiles][kTileRows];  // over blocks
  std::int32_t start[kAmxRows][kTileRows];         // kFloatBiasBits everywhere
};
static_assert(sizeof(AmxWork) <= kMatmulScratchBytes);

/// Rows of tile registers: 0, 1 sums, 4 activations of sixteen tokens; 2, 3 and 5 the same of the
/// `rest` last ones; 6, 7 weights.
LEYDEN_INLINE AmxShapes matmul_shapes(int rest) {
  AmxShapes shapes = AmxShapes::whole();
  shapes.rows[2] = shapes.rows[3] = shapes.rows[5] = static_cast<std::uint8_t>(rest);
  shapes.row_bytes[4] = shapes.row_bytes[5] = kGroup;
  shapes.rows[6] = shapes.rows[7] = kQuads;
  return shapes;
}

/// The blocks of the tiles at work.
template <int kTiles>
struct TileBlocks {
  const std::byte* block[kTiles];
  const std::byte* ahead[kTiles];
  F32Rows scale[kTiles][kGroupsPerBlock];
  F32Rows bias[kTiles];

  /// Unpacks the weights, takes their offset away, and reads ahead.
  template <typename Format>
  [[gnu::always_inline]] void unpack(const Format& format, AmxWork& work) {
    const I8Rows offset = {_mm512_set1_epi8(static_cast<char>(Format::kOffset))};
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      const std::byte* line = ahead[j];
      LEYDEN_UNROLL
      for (int g = 0; g < kGroupsPerBlock; ++g) {
        LEYDEN_UNROLL
        for (int i = 0; i < kQuads; i += 2) {
          I8Rows quads[2];
          format.two_quads(block[j], g, i, /*half=*/0, quads);
          LEYDEN_UNROLL
          for (int k = 0; k < 2; ++k) {
            store_bytes(work.weights[j][g][i + k], {_mm512_sub_epi8(quads[k].v, offset.v)});
          }
          for (int k = 0; k < Format::kLinesPerGroup * 2 / kQuads; ++k, line += kLine) {
            prefetch_weights<Format, kPanelTokens>(line);
          }
        }
        scale[j][g] = load_scale(block[j], g, /*half=*/0);
      }
      prefetch_weights<Format, kPanelTokens>(line);
      bias[j] = load_bias(block[j], /*half=*/0);
    }
  }
};

/// Sums of group g for up to sixteen tokens.
template <int kTiles, bool kIsRest>
LEYDEN_INLINE void multiply_group(AmxWork& work, int g, const std::int8_t* q, int step) {
  constexpr int kSum = kIsRest ? 2 : 0, kTokens = kIsRest ? 5 : 4;
  tile_load<kSum>(work.start, kLine);
  tile_load<kTokens>(q + g * kGroup, kBlock);
  tile_load<6>(work.weights[0][g], kLine);
  tile_dot_i8_i8<kSum, kTokens, 6>();
  tile_store<kSum>(work.dots[step][g][0], kLine);
  if constexpr (kTiles == 2) {
    tile_load<kSum + 1>(work.start, kLine);
    tile_load<7>(work.weights[1][g], kLine);
    tile_dot_i8_i8<kSum + 1, kTokens, 7>();
    tile_store<kSum + 1>(work.dots[step][g][1], kLine);
  }
}

/// The float steps of one block for n tokens from `first` of sixteen on; sums and scales are those
/// of the first of the sixteen.
template <int kTiles>
LEYDEN_INLINE void add_parts(const TileBlocks<kTiles>& at, const AmxWork& work, int step, int first,
                             int n, const float* scale, float (*sums)[kAmxTiles][kTileRows]) {
  for (int t = first; t < first + n; ++t) {
    const F32Rows a = broadcast_rows(scale[t]);
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      F32Rows part = at.bias[j];
      LEYDEN_UNROLL
      for (int g = 0; g < kGroupsPerBlock; ++g) {
        part = fma(bits_as_f32(load(work.dots[step][g][j][t])), at.scale[j][g], part);
      }
      store(sums[t][j], fma(part, a, load(sums[t][j])));
    }
  }
}

/// kTiles tiles times one panel.
template <int kTiles, typename Format>
LEYDEN_INLINE void multiply_tiles(const Format& format, AmxWork& work, const std::byte* tiles,
                                  const std::byte* next, int n_blocks,
                                  const ActivationPanel& panel) {
  const std::ptrdiff_t tile_bytes = std::ptrdiff_t{n_blocks} * Format::kBytes;
  for (int t = 0; t < panel.width; ++t) {
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) store(work.sums[t][j], zero_f32());
  }
  const int n_steps = (panel.width + kAmxRows - 1) / kAmxRows;
  const int whole_steps = panel.width / kAmxRows;
  const std::int8_t* q = panel.q;
  const float* scale = panel.scale;
  TileBlocks<kTiles> at;
  for (int b = 0; b < n_blocks; ++b, q += panel.width * kBlock, scale += panel.width) {
    const std::ptrdiff_t ahead = b + kAmxBlocksAhead;
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      at.block[j] = tiles + j * tile_bytes + b * std::ptrdiff_t{Format::kBytes};
      at.ahead[j] = (ahead < n_blocks ? tiles : next - n_blocks * std::ptrdiff_t{Format::kBytes}) +
                    j * tile_bytes + ahead * std::ptrdiff_t{Format::kBytes};
    }
    at.unpack(format, work);
    constexpr int kShare = kAmxRows / kGroupsPerBlock;
    for (int step = 0; step < n_steps; ++step) {
      const std::int8_t* tokens = q + step * kAmxRows * kBlock;
      const int before = (step - 1) * kAmxRows;
      LEYDEN_UNROLL
      for (int g = 0; g < kGroupsPerBlock; ++g) {
        if (step < whole_steps) {
          multiply_group<kTiles, false>(work, g, tokens, step % 2);
        } else {
          multiply_group<kTiles, true>(work, g, tokens, step % 2);
        }
        if (step > 0) {
          add_parts(at, work, (step - 1) % 2, g * kShare, kShare, scale + before,
                    work.sums + before);
        }
      }
    }
    const int last = (n_steps - 1) * kAmxRows;
    add_parts(at, work, (n_steps - 1) % 2, 0, panel.width - last, scale + last, work.sums + last);
  }
}

/// All tiles of the call times one panel of kAmxTokens tokens or more; args.out is the panel's.
template <typename Format>
LEYDEN_INLINE void multiply_amx(const Format& format, const MatmulArgs& args,
                                const ActivationPanel& panel) {
  AmxWork& work = *reinterpret_cast<AmxWork*>(args.scratch);
  for (int r = 0; r < kAmxRows; ++r) store(work.start[r], broadcast_i32(kFloatBiasBits));
  begin_tiles(matmul_shapes(panel.width % kAmxRows == 0 ? kAmxRows : panel.width % kAmxRows));
  const std::ptrdiff_t tile_bytes = std::ptrdiff_t{args.n_blocks} * Format::kBytes;
  const std::byte* tiles = args.tiles;
  for (int row = 0; row < args.n_rows;) {
    const int n_tiles = args.n_rows - row > kTileRows ? kAmxTiles : 1;
    const std::byte* next = tiles + n_tiles * tile_bytes;
    if (row + n_tiles * kTileRows >= args.n_rows && args.next != nullptr) next = args.next;
    if (n_tiles == kAmxTiles) {
      multiply_tiles<kAmxTiles>(format, work, tiles, next, args.n_blocks, panel);
    } else {
      multiply_tiles<1>(format, work, tiles, next, args.n_blocks, panel);
    }
    for (int j = 0; j < n_tiles; ++j, row += kTileRows, tiles += tile_bytes) {
      for (int t = 0; t < panel.width; ++t) {
        store_first(args.out + t * args.out_stride + row, load(work.sums[t][j]), args.n_rows - row);
      }
    }
  }
  end_tiles();
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
