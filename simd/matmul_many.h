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

/// Steps that all the tokens of a panel go through for one block.
constexpr int kSteps = kHalves * kGroupsPerBlock / kGroupsAtOnce;

/// Lines that one step asks for, a few for every two tokens.
struct Lines {
  const std::byte* next;
  const std::byte* end;

  /// The share of a step of `n` lines that a block asks for.
  LEYDEN_INLINE Lines of_step(const void* lines, int n, int step) {
    const auto* first = static_cast<const std::byte*>(lines);
    return {first + step * n / kSteps * kLine, first + (step + 1) * n / kSteps * kLine};
  }
  [[gnu::always_inline]] void ask(int n) {
    for (; n > 0 && next < end; --n, next += kLine) {
      _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
    }
  }
  [[gnu::always_inline]] void ask_rest() { ask(static_cast<int>((end - next) / kLine)); }
};

/// The cells of the panel that is multiplied next. They are asked for during the last tile, when
/// this panel's are used for the last time, and take their places in the second-level cache.
struct CellsAhead {
  static constexpr int kLinesPerCell = kBlock / kLine;
  Cell cell = {};
  int width = 0;
  int lines_at_once = 0;

  template <typename Format>
  LEYDEN_INLINE CellsAhead of(const Format&, const ActivationPanel* next,
                              const ActivationPanel& panel) {
    if (next == nullptr || next->q == panel.q) return {};
    const int pairs = panel.width / 2 * kSteps;
    return {{next->q, Format::starts(*next), next->scale},
            next->width,
            (next->width * kLinesPerCell + pairs - 1) / pairs};
  }
  /// What isn't worth a place in every step.
  [[gnu::always_inline]] void ask_for_scales() const {
    constexpr int kPerLine = kLine / static_cast<int>(sizeof(float));
    for (int i = 0; i < width; i += kPerLine / kGroupsPerBlock) {
      _mm_prefetch(reinterpret_cast<const char*>(cell.starts + i * kGroupsPerBlock), _MM_HINT_T1);
    }
    for (int i = 0; i < width; i += kPerLine) {
      _mm_prefetch(reinterpret_cast<const char*>(cell.scale + i), _MM_HINT_T1);
    }
  }
};

/// Groups kGroup0 .. of one block and half tile times all `width` tokens of the panel.
template <int kGroup0, typename Format>
LEYDEN_INLINE void multiply_groups(const Format& format, const Blocks<Format>& at,
                                   const CellsAhead& cells_ahead, int half, F32Rows bias, Cell cell,
                                   int width, Sums* all) {
  Groups<Format> groups;
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsAtOnce; ++g) {
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; i += 2) {
      format.two_quads(at.block, kGroup0 + g, i, half, &groups.w[g][i]);
    }
    groups.scale[g] = load_scale(at.block, kGroup0 + g, half);
  }
  const int step = half * (kSteps / kHalves) + kGroup0 / kGroupsAtOnce;
  auto weights = Lines::of_step(at.ahead, static_cast<int>(Format::kBytes / kLine), step);
  auto cells =
      Lines::of_step(cells_ahead.cell.q, cells_ahead.width * CellsAhead::kLinesPerCell, step);
  float* part = all->part[0] + half * kRows;
  float* sum = all->sum[0] + half * kRows;
  for (int t = width / 2; t > 0; --t) {
    weights.ask(2);
    cells.ask(cells_ahead.lines_at_once);
    add_groups<Format, kGroup0, 2>(groups, bias, cell, part, sum);
    cell = next(cell, 2);
    part += 2 * kTileRows;
    sum += 2 * kTileRows;
  }
  weights.ask_rest();
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
    CellsAhead cells_ahead;
    if (row + kTileRows >= args.n_rows) {
      cells_ahead = CellsAhead::of(format, args.next_panel, panel);
    }
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, at.advance()) {
      cells_ahead.ask_for_scales();
      LEYDEN_UNROLL
      for (int half = 0; half < kHalves; ++half) {
        const F32Rows bias = load_bias(at.block, half);
        [&]<int... kStep>(std::integer_sequence<int, kStep...>) __attribute__((always_inline)) {
          (multiply_groups<kStep * kGroupsAtOnce>(format, at, cells_ahead, half, bias, cell,
                                                  panel.width, all),
           ...);
        }
        (std::make_integer_sequence<int, kGroupsPerBlock / kGroupsAtOnce>());
      }
      cell = next(cell, panel.width);
      cells_ahead.cell = next(cells_ahead.cell, cells_ahead.width);
    }
    for (int t = 0; t < panel.width; ++t) {
      store_first(args.out + t * args.out_stride + row, load(all->sum[t]), args.n_rows - row);
    }
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
