#pragma once

#include <utility>

#include "simd/matmul_blocks.h"

// Integer products with many tokens: the quads of some groups are unpacked into registers once and
// meet there all tokens of a panel, whose activations stream past as broadcast operands; what a
// token accumulates lies in the first-level cache. For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// What a panel accumulates for one tile, in the caller's scratch: 8 KiB of the first-level cache.
struct Sums {
  float sum[kPanelTokens][kTileRows];   // over blocks
  float part[kPanelTokens][kTileRows];  // over the groups of a block
};
static_assert(sizeof(Sums) <= kMatmulScratchBytes);

/// kGroupsAtOnce groups of kRows rows in registers.
template <typename Format>
struct Groups {
  typename Format::Quad w[kGroupsAtOnce][kQuads];
  F32Rows scale[kGroupsAtOnce];
};

/// Adds groups kGroup0 .. to the parts of kTokens tokens, and after the last group the parts to the
/// sums. Two tokens alternate, so that one's dot product can wait for its latency; four or six at a
/// time gain nothing more.
template <typename Format, int kGroup0, int kTokens>
LEYDEN_INLINE void add_groups(const Groups<Format>& groups, F32Rows bias, const Cell& cell,
                              float* parts, float* sums) {
  F32Rows part[kTokens];
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    part[t] = kGroup0 == 0 ? bias : load_rows(parts + t * kTileRows);
  }
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsAtOnce; ++g) {
    I32Rows dot[kTokens];
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      dot[t] = Format::start(cell.starts[t * kGroupsPerBlock + kGroup0 + g]);
    }
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; ++i) {
      LEYDEN_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        dot[t] = Format::dot(dot[t], groups.w[g][i],
                             cell.q + t * kBlock + (kGroup0 + g) * kGroup + 4 * i);
      }
    }
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      part[t] = fma(bits_as_f32(dot[t]), groups.scale[g], part[t]);
    }
  }
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    if constexpr (kGroup0 + kGroupsAtOnce == kGroupsPerBlock) {
      float* sum = sums + t * kTileRows;
      store(sum, fma(part[t], broadcast_rows(cell.scale[t]), load_rows(sum)));
    } else {
      store(parts + t * kTileRows, part[t]);
    }
  }
}

/// Groups kGroup0 .. of one block and half tile times all `width` tokens of the panel.
template <int kGroup0, typename Format>
LEYDEN_INLINE void multiply_groups(const Format& format, const Blocks<Format>& at, int half,
                                   F32Rows bias, Cell cell, int width, Sums* all) {
  Groups<Format> groups;
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsAtOnce; ++g) {
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; i += 2) {
      format.two_quads(at.block, kGroup0 + g, i, half, &groups.w[g][i]);
    }
    groups.scale[g] = load_scale(at.block, kGroup0 + g, half);
  }
  // The lines ahead are shared evenly by the steps of a block.
  constexpr int kLines = static_cast<int>(Format::kBytes / kLine);
  constexpr int kSteps = kHalves * kGroupsPerBlock / kGroupsAtOnce;
  const int step = half * (kSteps / kHalves) + kGroup0 / kGroupsAtOnce;
  const std::byte* ahead = at.ahead + step * kLines / kSteps * kLine;
  const std::byte* const ahead_end = at.ahead + (step + 1) * kLines / kSteps * kLine;
  float* part = all->part[0] + half * kRows;
  float* sum = all->sum[0] + half * kRows;
  for (int t = width / 2; t > 0; --t) {
    for (int i = 0; i < 2 && ahead < ahead_end; ++i, ahead += kLine) {
      prefetch_weights<Format, kPanelTokens>(ahead);
    }
    add_groups<Format, kGroup0, 2>(groups, bias, cell, part, sum);
    cell = next(cell, 2);
    part += 2 * kTileRows;
    sum += 2 * kTileRows;
  }
  for (; ahead < ahead_end; ahead += kLine) prefetch_weights<Format, kPanelTokens>(ahead);
  if (width % 2 != 0) add_groups<Format, kGroup0, 1>(groups, bias, cell, part, sum);
}

/// All tiles of the call times one panel; args.out is the panel's.
template <typename Format>
LEYDEN_INLINE void multiply_many(const Format& format, const MatmulArgs& args,
                                 const ActivationPanel& panel) {
  Sums* const all = reinterpret_cast<Sums*>(args.scratch);
  auto at = Blocks<Format>::of(args);
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    for (int t = 0; t < panel.width; ++t) store(all->sum[t], zero_f32());
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, at.advance()) {
      LEYDEN_UNROLL
      for (int half = 0; half < kHalves; ++half) {
        const F32Rows bias = load_bias(at.block, half);
        [&]<int... kStep>(std::integer_sequence<int, kStep...>) __attribute__((always_inline)) {
          (multiply_groups<kStep * kGroupsAtOnce>(format, at, half, bias, cell, panel.width, all),
           ...);
        }
        (std::make_integer_sequence<int, kGroupsPerBlock / kGroupsAtOnce>());
      }
      cell = next(cell, panel.width);
    }
    for (int t = 0; t < panel.width; ++t) {
      store_first(args.out + t * args.out_stride + row, load(all->sum[t]), args.n_rows - row);
    }
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
