#include <utility>

#include "simd/matmul.h"
#include "simd/vec_rows.h"

// int8 and int4 weights. A register holds a column quad of kRows output rows. Few tokens keep all
// they accumulate in registers and see each quad as it is read. For many, the quads of some groups
// are unpacked into registers once and meet there all tokens of a panel, whose activations stream
// past as broadcast operands; what a token accumulates then lies in the first-level cache.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kQuads = kGroup / 4;
constexpr int kRowBytes = kRows * 4;  // of one quad in one register

// Weights come from memory, and the hardware's prefetcher, which does most of the work, must be led
// (bench/RESULTS.md): lines are asked for this many bytes ahead, a few at a time and in step with
// those that are used. Up to Format::kHastyTokens tokens use them so quickly that they have to be
// brought all the way to the first level; with more tokens that would take its fill buffers from
// the activations.
constexpr int kReadAhead = 6144;
template <typename Format, int kTokens>
LEYDEN_INLINE void read_ahead(const std::byte* line) {
  _mm_prefetch(reinterpret_cast<const char*>(line + kReadAhead),
               kTokens <= Format::kHastyTokens ? _MM_HINT_T0 : _MM_HINT_T1);
}
/// Keeps reads and what leads them in the order they are written.
LEYDEN_INLINE void in_this_order() { asm volatile("" ::: "memory"); }

struct Int8 {
  using Quad = OffsetRows;
  static constexpr std::size_t kBytes = kBlockBytesInt8;
  static constexpr int kLinesPerGroup = kQuads;
  static constexpr int kHastyTokens = 4;

  /// Quads i and i + 1 of group g.
  [[gnu::always_inline]] void two_quads(const std::byte* block, int g, int i, int half,
                                        Quad* w) const {
    const std::byte* line =
        block + kBlockScaleBytes + (g * kQuads + i) * kLine + half * kRowBytes;
    w[0] = prepare_offset128(load_rows_bytes(line));
    w[1] = prepare_offset128(load_rows_bytes(line + kLine));
  }
  LEYDEN_INLINE const std::int32_t* starts(const ActivationPanel& p) { return p.start_int8; }
  LEYDEN_INLINE I32Rows start(std::int32_t s) { return start_rows_offset128(s); }
  LEYDEN_INLINE I32Rows dot(I32Rows acc, Quad w, const std::int8_t* q) {
    return dot_offset128(acc, w, q);
  }
};

struct Int4 {
  using Quad = I8Rows;
  static constexpr std::size_t kBytes = kBlockBytesInt4;
  static constexpr int kLinesPerGroup = kQuads / 2;
  static constexpr int kHastyTokens = 1;
  I8Rows table;

  [[gnu::always_inline]] void two_quads(const std::byte* block, int g, int i, int half,
                                        Quad* w) const {
    const std::byte* line =
        block + kBlockScaleBytes + (g * kQuads + i) / 2 * kLine + half * kRowBytes;
    const I8Rows pair = load_rows_bytes(line);
    w[0] = look_up(table, low_nibbles(pair));
    w[1] = look_up(table, high_nibbles(pair));
  }
  LEYDEN_INLINE const std::int32_t* starts(const ActivationPanel& p) { return p.start_int4; }
  LEYDEN_INLINE I32Rows start(std::int32_t s) { return broadcast_rows(s); }
  LEYDEN_INLINE I32Rows dot(I32Rows acc, Quad w, const std::int8_t* q) { return dot_u7(acc, w, q); }
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

// ---- few tokens

/// Adds groups to dot: the quads from kQuad on, kQuadsAtOnce of them.
template <int kTokens, typename Format>
LEYDEN_INLINE void add_quads(const Format& format, const std::byte* block, int g, int quad,
                             const Cell& cell, I32Rows (*dot)[kHalves]) {
  typename Format::Quad w[kHalves][kQuadsAtOnce];
  LEYDEN_UNROLL
  for (int i = 0; i < kQuadsAtOnce; i += 2) {
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) format.two_quads(block, g, quad + i, h, &w[h][i]);
  }
  in_this_order();
  constexpr int kLines = Format::kLinesPerGroup * kQuadsAtOnce / kQuads;
  const std::byte* const line =
      block + kBlockScaleBytes + (g * kQuads + quad) / kQuadsAtOnce * kLines * kLine;
  LEYDEN_UNROLL
  for (int i = 0; i < kLines; ++i) read_ahead<Format, kTokens>(line + i * kLine);
  in_this_order();
  LEYDEN_UNROLL
  for (int i = 0; i < kQuadsAtOnce; ++i) {
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) {
        dot[t][h] = Format::dot(dot[t][h], w[h][i],
                                cell.q + t * kBlock + g * kGroup + (quad + i) * 4);
      }
    }
  }
}

/// Adds one block to the sums of kTokens tokens.
template <int kTokens, typename Format>
LEYDEN_INLINE void add_block(const Format& format, const std::byte* block, const Cell& cell,
                             F32Rows (*sum)[kHalves]) {
  F32Rows part[kTokens][kHalves];
  LEYDEN_UNROLL
  for (int h = 0; h < kHalves; ++h) {
    const F32Rows bias = load_bias(block, h);
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) part[t][h] = bias;
  }
  LEYDEN_UNROLL
  for (std::size_t at = 0; at < kBlockScaleBytes; at += kLine) read_ahead<Format, kTokens>(block + at);
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
      add_quads<kTokens>(format, block, g, quad, cell, dot);
    }
    LEYDEN_UNROLL
    for (int h = 0; h < kHalves; ++h) {
      const F32Rows scale = load_scale(block, g, h);
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

/// All tiles of the call times a panel of kTokens tokens; out is its first row of results.
template <int kTokens, typename Format>
LEYDEN_INLINE void multiply_few(const Format& format, const MatmulArgs& args,
                                const ActivationPanel& panel, float* out) {
  const std::byte* block = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    F32Rows sum[kTokens][kHalves];
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) sum[t][h] = broadcast_rows(0.0f);
    }
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, block += Format::kBytes) {
      add_block<kTokens>(format, block, cell, sum);
      cell = next(cell, kTokens);
    }
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      LEYDEN_UNROLL
      for (int h = 0; h < kHalves; ++h) {
        const int first = row + h * kRows;
        store_first(out + t * args.out_stride + first, sum[t][h], args.n_rows - first);
      }
    }
  }
}

// ---- many tokens

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
LEYDEN_INLINE void multiply_groups(const Format& format, const std::byte* block, int half,
                                   F32Rows bias, Cell cell, int width, Sums* all) {
  Groups<Format> groups;
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsAtOnce; ++g) {
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; i += 2) {
      format.two_quads(block, kGroup0 + g, i, half, &groups.w[g][i]);
    }
    groups.scale[g] = load_scale(block, kGroup0 + g, half);
  }
  // The lines ahead are shared evenly by the steps of a block.
  constexpr int kLines = static_cast<int>(Format::kBytes / kLine);
  constexpr int kSteps = kHalves * kGroupsPerBlock / kGroupsAtOnce;
  const int step = half * (kSteps / kHalves) + kGroup0 / kGroupsAtOnce;
  const std::byte* ahead = block + step * kLines / kSteps * kLine;
  const std::byte* const ahead_end = block + (step + 1) * kLines / kSteps * kLine;
  float* part = all->part[0] + half * kRows;
  float* sum = all->sum[0] + half * kRows;
  for (int t = width / 2; t > 0; --t) {
    for (int i = 0; i < 2 && ahead < ahead_end; ++i, ahead += kLine) read_ahead<Format, kPanelTokens>(ahead);
    add_groups<Format, kGroup0, 2>(groups, bias, cell, part, sum);
    cell = next(cell, 2);
    part += 2 * kTileRows;
    sum += 2 * kTileRows;
  }
  for (; ahead < ahead_end; ahead += kLine) read_ahead<Format, kPanelTokens>(ahead);
  if (width % 2 != 0) add_groups<Format, kGroup0, 1>(groups, bias, cell, part, sum);
}

/// All tiles of the call times one panel; out is its first row of results.
template <typename Format>
LEYDEN_INLINE void multiply_many(const Format& format, const MatmulArgs& args,
                                 const ActivationPanel& panel, float* out) {
  Sums* const all = reinterpret_cast<Sums*>(args.scratch);
  const std::byte* block = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    for (int t = 0; t < panel.width; ++t) store(all->sum[t], zero_f32());
    Cell cell = {panel.q, Format::starts(panel), panel.scale};
    for (int b = 0; b < args.n_blocks; ++b, block += Format::kBytes) {
      LEYDEN_UNROLL
      for (int half = 0; half < kHalves; ++half) {
        const F32Rows bias = load_bias(block, half);
        [&]<int... kStep>(std::integer_sequence<int, kStep...>) __attribute__((always_inline)) {
          (multiply_groups<kStep * kGroupsAtOnce>(format, block, half, bias, cell, panel.width,
                                                  all),
           ...);
        }
        (std::make_integer_sequence<int, kGroupsPerBlock / kGroupsAtOnce>());
      }
      cell = next(cell, panel.width);
    }
    for (int t = 0; t < panel.width; ++t) {
      store_first(out + t * args.out_stride + row, load(all->sum[t]), args.n_rows - row);
    }
  }
}

// ----

/// The panel by the path for its width, of which those up to kFewTokens each have their own.
template <int kTokens, typename Format>
LEYDEN_INLINE void multiply_panel(const Format& format, const MatmulArgs& args,
                                  const ActivationPanel& panel, float* out) {
  if constexpr (kTokens > kFewTokens) {
    multiply_many(format, args, panel, out);
  } else if (panel.width == kTokens) {
    multiply_few<kTokens>(format, args, panel, out);
  } else {
    multiply_panel<kTokens + 1>(format, args, panel, out);
  }
}

template <typename Format>
LEYDEN_INLINE void matmul(const Format& format, const MatmulArgs& args) {
  float* out = args.out;
  for (int p = 0; p < args.n_panels; ++p) {
    multiply_panel<1>(format, args, args.panels[p], out);
    out += args.panels[p].width * args.out_stride;
  }
}

}  // namespace

void matmul_int8(const MatmulArgs& args) noexcept { matmul(Int8{}, args); }

void matmul_int4(const MatmulArgs& args) noexcept {
  matmul(Int4{load_rows_table(args.levels)}, args);
}

}  // namespace leyden::simd::LEYDEN_ISA
