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

/// All tiles of the call times a panel of kTokens tokens; args.out is the panel's.
template <int kTokens, typename Format>
LEYDEN_INLINE void multiply_few(const Format& format, const MatmulArgs& args,
                                const ActivationPanel& panel) {
  auto at = Blocks<Format>::of(args);
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    F32Rows sum[kTokens][kHalves];
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) sum[t][h] = broadcast_rows(0.0f);
    }
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, at.advance()) {
      add_block<kTokens>(format, at, cell, sum);
      cell = next(cell, kTokens);
    }
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) {
        const int first = row + h * kRows;
        store_first(args.out + t * args.out_stride + first, sum[t][h], args.n_rows - first);
      }
    }
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
