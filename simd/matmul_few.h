#pragma once

#include "simd/matmul_blocks.h"

// Integer products with up to kFewTokens tokens: what they accumulate stays in registers, and each
// quad is used as it is read. For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Adds groups to dot: the quads from kQuad on, kQuadsAtOnce of them.
template <int kTokens, typename Format>
LEYDEN_INLINE void add_quads(const Format& format, const Blocks<Format>& at, int g, int quad,
                             const Cell& cell, I32Rows (*dot)[kHalves]) {
  typename Format::Quad w[kHalves][kQuadsAtOnce];
  LEYDEN_UNROLL
  for (int i = 0; i < kQuadsAtOnce; i += 2) {
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) format.two_quads(at.block, g, quad + i, h, &w[h][i]);
  }
  in_this_order();
  constexpr int kLines = Format::kLinesPerGroup * kQuadsAtOnce / kQuads;
  const std::byte* const line =
      at.ahead + kBlockScaleBytes + (g * kQuads + quad) / kQuadsAtOnce * kLines * kLine;
  LEYDEN_UNROLL
  for (int i = 0; i < kLines; ++i) prefetch_weights<Format, kTokens>(line + i * kLine);
  in_this_order();
  LEYDEN_UNROLL
  for (int i = 0; i < kQuadsAtOnce; ++i) {
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) {
        dot[t][h] =
            Format::dot(dot[t][h], w[h][i], cell.q + t * kBlock + g * kGroup + (quad + i) * 4);
      }
    }
  }
}

/// Adds one block to the sums of kTokens tokens.
template <int kTokens, typename Format>
LEYDEN_INLINE void add_block(const Format& format, const Blocks<Format>& at, const Cell& cell,
                             F32Rows (*sum)[kHalves]) {
  F32Rows part[kTokens][kHalves];
  LEYDEN_UNROLL
  for (int h = 0; h < kHalves; ++h) {
    const F32Rows bias = load_bias(at.block, h);
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) part[t][h] = bias;
  }
  LEYDEN_UNROLL
  for (std::size_t i = 0; i < kBlockScaleBytes; i += kLine) {
    prefetch_weights<Format, kTokens>(at.ahead + i);
  }
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsPerBlock; ++g) {
    I32Rows dot[kTokens][kHalves];
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) {
        dot[t][h] = Format::start(cell.starts[t * kGroupsPerBlock + g]);
      }
    }
    LEYDEN_UNROLL
    for (int quad = 0; quad < kQuads; quad += kQuadsAtOnce) {
      add_quads<kTokens>(format, at, g, quad, cell, dot);
    }
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) {
      const F32Rows scale = load_scale(at.block, g, h);
      LEYDEN_UNROLL
      for (int t = 0; t < kTokens; ++t) part[t][h] = fma(bits_as_f32(dot[t][h]), scale, part[t][h]);
    }
  }
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) {
      sum[t][h] = fma(part[t][h], broadcast_rows(cell.scale[t]), sum[t][h]);
    }
  }
}

/// Sums of kTokens tokens, for a tile.
template <int kTokens>
using TileSums = F32Rows[kTokens][kHalves];

template <int kTokens>
LEYDEN_INLINE void clear(TileSums<kTokens>& sum) {
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) sum[t][h] = broadcast_rows(0.0f);
  }
}

/// To the rows from `row` on.
template <int kTokens>
LEYDEN_INLINE void store(const TileSums<kTokens>& sum, const MatmulArgs& args, int row) {
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) {
      const int first = row + h * kRows;
      store_first(args.out + t * args.out_stride + first, sum[t][h], args.n_rows - first);
    }
  }
}

/// The tiles of the call from first_tile on times a panel of kTokens tokens; args.out is the
/// panel's.
template <int kTokens, typename Format>
LEYDEN_INLINE void multiply_few(const Format& format, const MatmulArgs& args,
                                const ActivationPanel& panel, int first_tile) {
  const int n_tiles = tiles_of(args);
  auto at = Blocks<Format>::of(args, first_tile, n_tiles - first_tile);
  for (int tile = first_tile; tile < n_tiles; ++tile) {
    TileSums<kTokens> sum;
    clear<kTokens>(sum);
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, at.advance()) {
      add_block<kTokens>(format, at, cell, sum);
      cell = next(cell, kTokens);
    }
    store<kTokens>(sum, args, tile * kTileRows);
  }
}

/// Up to how many tokens reading at two places is worth it: with more, or with eight rows to a
/// register, it gains nothing (bench/RESULTS.md).
constexpr int kMostTokensInTwoRuns = kHalves == 1 ? 2 : 0;

/// The same for the first half of the tiles and as many after it, side by side. Each half has
/// instructions of its own, by whose addresses prefetchers seem to tell them apart. Returns the
/// tile that comes after them: the odd one or none.
template <int kTokens, typename Format>
LEYDEN_INLINE int multiply_in_two_runs(const Format& format, const MatmulArgs& args,
                                       const ActivationPanel& panel) {
  const int half = tiles_of(args) / 2;
  auto first = Blocks<Format>::of(args, 0, half), second = Blocks<Format>::of(args, half, half);
  for (int tile = 0; tile < half; ++tile) {
    TileSums<kTokens> first_sum, second_sum;
    clear<kTokens>(first_sum);
    clear<kTokens>(second_sum);
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, first.advance(), second.advance()) {
      add_block<kTokens>(format, first, cell, first_sum);
      add_block<kTokens>(format, second, cell, second_sum);
      cell = next(cell, kTokens);
    }
    store<kTokens>(first_sum, args, tile * kTileRows);
    store<kTokens>(second_sum, args, (half + tile) * kTileRows);
  }
  return 2 * half;
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
