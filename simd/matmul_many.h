#pragma once

#include <utility>

#include "simd/matmul_ahead.h"

// Integer products with many tokens: the quads of some groups are unpacked into registers once and
// meet there all tokens of a panel, whose activations stream past; what a token accumulates lies in
// the first-level cache. For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// How many tiles meet the tokens of a panel side by side, how many groups of each lie in registers
/// meanwhile, how many tokens alternate, so that one's dot product can wait for its latency; and
/// how weights are asked for: how far ahead, for which cache, and whether a step does it before it
/// begins or a few lines at a time.
struct OneTile {
  static constexpr int kTiles = 1;
  static constexpr int kGroups = kGroupsAtOnce;
  static constexpr int kTokens = 2;  // four or six at a time gain nothing more
  static constexpr int kBytesAhead = 12 * 1024;
  static constexpr auto kCache = _MM_HINT_T1;
  static constexpr bool kAsksFirst = false;
  LEYDEN_INLINE const std::int8_t* quad(const std::int8_t* q) { return q; }
};
#if defined(LEYDEN_ISA_avx512vnni)
/// Where loads_are_scarce (simd/isa.h): one load of a quad of activations serves two products.
struct TilePair {
  static constexpr int kTiles = 2;
  static constexpr int kGroups = 1;
  static constexpr int kTokens = 3;
  static constexpr int kBytesAhead = 8 * 1024;
  static constexpr auto kCache = _MM_HINT_T0;
  static constexpr bool kAsksFirst = true;
  LEYDEN_INLINE I8Rows quad(const std::int8_t* q) { return keep(broadcast_quad(q)); }
};
#endif

/// What a panel accumulates, in the caller's scratch: 8 KiB of the first-level cache for a tile.
template <int kTiles>
struct Sums {
  float sum[kTiles][kPanelTokens][kTileRows];   // over blocks
  float part[kTiles][kPanelTokens][kTileRows];  // over the groups of a block
};

/// What kRows rows of each tile have in registers.
template <typename Form, typename Format>
struct Groups {
  typename Format::Quad w[Form::kTiles][Form::kGroups][kQuads];
  F32Rows scale[Form::kTiles][Form::kGroups];
  F32Rows bias[Form::kTiles];
};

/// Adds groups kGroup0 .. to the parts of kTokens tokens, and after the last group the parts to the
/// sums. Both point at the first token's place, in the first tile.
template <typename Form, int kGroup0, int kTokens, typename Format>
LEYDEN_INLINE void add_groups(const Groups<Form, Format>& groups, const Cell& cell, float* parts,
                              float* sums) {
  constexpr int kTiles = Form::kTiles, kTileFloats = kPanelTokens * kTileRows;
  F32Rows part[kTiles][kTokens];
  LEYDEN_UNROLL
  for (int i = 0; i < kTiles; ++i) {
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      part[i][t] =
          kGroup0 == 0 ? groups.bias[i] : load_rows(parts + i * kTileFloats + t * kTileRows);
    }
  }
  LEYDEN_UNROLL
  for (int g = 0; g < Form::kGroups; ++g) {
    I32Rows dot[kTiles][kTokens];
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const I32Rows start = Format::start(cell.starts[t * kGroupsPerBlock + kGroup0 + g]);
      LEYDEN_UNROLL
      for (int i = 0; i < kTiles; ++i) dot[i][t] = start;
    }
    LEYDEN_UNROLL
    for (int k = 0; k < kQuads; ++k) {
      LEYDEN_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        const auto q = Form::quad(cell.q + t * kBlock + (kGroup0 + g) * kGroup + 4 * k);
        LEYDEN_UNROLL
        for (int i = 0; i < kTiles; ++i) dot[i][t] = Format::dot(dot[i][t], groups.w[i][g][k], q);
      }
    }
    LEYDEN_UNROLL
    for (int i = 0; i < kTiles; ++i) {
      LEYDEN_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        part[i][t] = fma(bits_as_f32(dot[i][t]), groups.scale[i][g], part[i][t]);
      }
    }
  }
  LEYDEN_UNROLL
  for (int i = 0; i < kTiles; ++i) {
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const int at = i * kTileFloats + t * kTileRows;
      if constexpr (kGroup0 + Form::kGroups == kGroupsPerBlock) {
        store(sums + at, fma(part[i][t], broadcast_rows(cell.scale[t]), load_rows(sums + at)));
      } else {
        store(parts + at, part[i][t]);
      }
    }
  }
}

/// The same block of tiles that lie side by side: now, and later ones that are asked for now.
struct BlockOfTiles {
  const std::byte* block;
  const std::byte* ahead;
  std::ptrdiff_t tile_bytes;
};

/// Groups kGroup0 .. of a block, kRows rows of every tile, times all `width` tokens of the panel.
template <typename Form, int kGroup0, typename Format>
LEYDEN_INLINE void multiply_groups(const Format& format, const BlockOfTiles& at,
                                   const CellsAhead& cells_ahead, int half,
                                   Groups<Form, Format>& groups, Cell cell, int width,
                                   Sums<Form::kTiles>* all) {
  const int step = (half * kGroupsPerBlock + kGroup0) / Form::kGroups;
  using Weights = Lines<Form::kCache>;
  Weights weights[Form::kTiles];
  LEYDEN_UNROLL
  for (int i = 0; i < Form::kTiles; ++i) {
    LEYDEN_UNROLL
    for (int g = 0; g < Form::kGroups; ++g) {
      const std::byte* const block = at.block + i * at.tile_bytes;
      LEYDEN_UNROLL
      for (int k = 0; k < kQuads; k += 2) {
        format.two_quads(block, kGroup0 + g, k, half, &groups.w[i][g][k]);
      }
      groups.scale[i][g] = load_scale(block, kGroup0 + g, half);
    }
    weights[i] = Weights::of_step(at.ahead + i * at.tile_bytes,
                                  static_cast<int>(Format::kBytes / kLine), step, kSteps<Form>);
  }
  auto cells = Lines<_MM_HINT_T1>::of_step(
      cells_ahead.cell.q, cells_ahead.width * CellsAhead::kLinesPerCell, step, kSteps<Form>);
  float* part = all->part[0][0] + half * kRows;
  float* sum = all->sum[0][0] + half * kRows;
  LEYDEN_UNROLL
  for (int i = 0; i < Form::kTiles; ++i) {
    if (Form::kAsksFirst) weights[i].ask_rest();
  }
  int t = 0;
  for (; t + Form::kTokens <= width; t += Form::kTokens) {
    LEYDEN_UNROLL
    for (int i = 0; i < Form::kTiles; ++i) {
      if (!Form::kAsksFirst) weights[i].ask(2);
    }
    cells.ask(cells_ahead.lines_at_once);
    add_groups<Form, kGroup0, Form::kTokens>(groups, cell, part, sum);
    cell = next(cell, Form::kTokens);
    part += Form::kTokens * kTileRows;
    sum += Form::kTokens * kTileRows;
  }
  LEYDEN_UNROLL
  for (int i = 0; i < Form::kTiles; ++i) {
    if (!Form::kAsksFirst) weights[i].ask_rest();
  }
  for (; t < width; ++t) {
    add_groups<Form, kGroup0, 1>(groups, cell, part, sum);
    cell = next(cell, 1);
    part += kTileRows;
    sum += kTileRows;
  }
}

/// Form::kTiles tiles, of which `following` will be read next, times a panel: n_rows rows of `out`.
template <typename Form, typename Format>
LEYDEN_INLINE void multiply_tiles(const Format& format, const MatmulArgs& args,
                                  const ActivationPanel& panel, const CellsAhead& next_cells,
                                  const std::byte* tiles, const std::byte* following, float* out,
                                  int n_rows) {
  constexpr auto kBytes = static_cast<std::ptrdiff_t>(Format::kBytes);
  auto* const all = reinterpret_cast<Sums<Form::kTiles>*>(args.scratch);
  static_assert(sizeof(*all) <= kMatmulScratchBytes);
  for (int i = 0; i < Form::kTiles; ++i) {
    for (int t = 0; t < panel.width; ++t) store(all->sum[i][t], zero_f32());
  }
  constexpr auto kBlocksAhead = static_cast<int>(Form::kBytesAhead / Format::kBytes);
  const int n_ahead = kBlocksAhead < args.n_blocks ? kBlocksAhead : args.n_blocks;
  CellsAhead cells_ahead = next_cells;
  Cell cell = {panel.q, Format::starts(panel), panel.scale};
  for (int b = 0; b < args.n_blocks; ++b) {
    const int ahead = b + n_ahead;
    const BlockOfTiles at = {tiles + b * kBytes,
                             ahead < args.n_blocks ? tiles + ahead * kBytes
                                                   : following + (ahead - args.n_blocks) * kBytes,
                             args.n_blocks * kBytes};
    cells_ahead.ask_for_scales();
    LEYDEN_UNROLL
    for (int half = 0; half < kHalves; ++half) {
      Groups<Form, Format> groups;
      LEYDEN_UNROLL
      for (int i = 0; i < Form::kTiles; ++i) {
        groups.bias[i] = load_bias(at.block + i * at.tile_bytes, half);
      }
      [&]<int... kStep>(std::integer_sequence<int, kStep...>) __attribute__((always_inline)) {
        (multiply_groups<Form, kStep * Form::kGroups>(format, at, cells_ahead, half, groups, cell,
                                                      panel.width, all),
         ...);
      }
      (std::make_integer_sequence<int, kGroupsPerBlock / Form::kGroups>());
    }
    cell = next(cell, panel.width);
    cells_ahead.cell = next(cells_ahead.cell, cells_ahead.width);
  }
  for (int i = 0; i < Form::kTiles; ++i) {
    const int first = i * kTileRows;
    for (int t = 0; t < panel.width; ++t) {
      store_first(out + t * args.out_stride + first, load(all->sum[i][t]), n_rows - first);
    }
  }
}

/// All tiles of the call times one panel; args.out is the panel's.
template <typename Format>
LEYDEN_INLINE void multiply_many(const Format& format, const MatmulArgs& args,
                                 const ActivationPanel& panel) {
  const std::ptrdiff_t tile_bytes = args.n_blocks * static_cast<std::ptrdiff_t>(Format::kBytes);
  const std::byte* tiles = args.tiles;
  int row = 0;
  const auto multiply = [&]<typename Form>(Form) __attribute__((always_inline)) {
    const std::byte* const end = tiles + Form::kTiles * tile_bytes;
    const bool is_last = row + Form::kTiles * kTileRows >= args.n_rows;
    multiply_tiles<Form>(
        format, args, panel,
        is_last ? CellsAhead::of<Form, Format>(args.next_panel, panel) : CellsAhead{}, tiles,
        is_last && args.next != nullptr ? args.next : end, args.out + row, args.n_rows - row);
    tiles = end;
    row += Form::kTiles * kTileRows;
  };
#if defined(LEYDEN_ISA_avx512vnni)
  if (args.loads_are_scarce) {
    while (row + kTileRows < args.n_rows) multiply(TilePair{});
  }
#endif
  while (row < args.n_rows) multiply(OneTile{});
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
