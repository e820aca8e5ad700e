#include <utility>

#include "simd/matmul.h"
#include "simd/vec_rows.h"

// int8 and int4 weights. A register holds a column quad of kRows output rows. Each quad is unpacked
// once into a register and meets there all tokens of a panel, whose activations stream past as
// broadcast operands; what a token accumulates lies in the first-level cache.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kQuads = kGroup / 4;
constexpr int kAnyWidth = 0;
constexpr int kRowBytes = kRows * 4;  // of one quad in one register

// What a panel accumulates for one tile, in the caller's scratch: 8 KiB of the first-level cache.
struct Sums {
  float sum[kPanelTokens][kTileRows];   // over blocks
  float part[kPanelTokens][kTileRows];  // over the groups of a block
};
static_assert(sizeof(Sums) <= kMatmulScratchBytes);

// Weights come from memory, and the hardware's prefetcher, which does most of the work, must be led
// (bench/RESULTS.md): lines are asked for this many bytes ahead, a few at a time between the
// tokens, because a burst would take all the fill buffers from the activations.
constexpr int kReadAhead = 3072;
constexpr int kLinesPerStep = 2;
// It also starts anew at every page of 4 KiB. With this many tokens or more a page is used so
// slowly that touching the one after the next early pays.
constexpr int kPage = 4096;
constexpr int kPageTouchTokens = 8;
constexpr int kPageTouchLines = 6;

struct Int8 {
  using Quad = OffsetRows;
  static constexpr std::size_t kBytes = kBlockBytesInt8;

  [[gnu::always_inline]] void quads(const std::byte* block, int g, int half, Quad* w) const {
    const std::byte* line = block + kBlockScaleBytes + g * kQuads * kLine + half * kRowBytes;
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; ++i) w[i] = prepare_offset128(load_rows_bytes(line + i * kLine));
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
  I8Rows table;

  [[gnu::always_inline]] void quads(const std::byte* block, int g, int half, Quad* w) const {
    const std::byte* line = block + kBlockScaleBytes + g * kQuads / 2 * kLine + half * kRowBytes;
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; i += 2) {
      const I8Rows pair = load_rows_bytes(line + i / 2 * kLine);
      w[i] = look_up(table, low_nibbles(pair));
      w[i + 1] = look_up(table, high_nibbles(pair));
    }
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

/// kGroupsAtOnce groups of kRows rows in registers.
template <typename Format>
struct Groups {
  typename Format::Quad w[kGroupsAtOnce][kQuads];
  F32Rows scale[kGroupsAtOnce];
};

/// Where the tokens of a block lie, from the next one on.
struct Cell {
  const std::int8_t* q;        // [.., 128], from the first group's columns on
  const std::int32_t* starts;  // [.., 4], from the first group on
  const float* scale;          // [..]
  float* part;                 // [.., 16], from the first row on
  float* sum;                  // [.., 16]
};

LEYDEN_INLINE Cell next(const Cell& cell, int n_tokens) {
  return {cell.q + n_tokens * kBlock, cell.starts + n_tokens * kGroupsPerBlock,
          cell.scale + n_tokens, cell.part + n_tokens * kTileRows, cell.sum + n_tokens * kTileRows};
}

/// Adds the groups to the parts of kTokens neighbouring tokens, and after the last group the parts
/// to the sums. Two tokens alternate, so that one's dot product can wait for its latency.
template <typename Format, bool kFirst, bool kLast, int kTokens>
LEYDEN_INLINE void add_groups(const Groups<Format>& groups, F32Rows bias, const Cell& cell) {
  F32Rows part[kTokens];
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) part[t] = kFirst ? bias : load_rows(cell.part + t * kTileRows);
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsAtOnce; ++g) {
    I32Rows dot[kTokens];
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      dot[t] = Format::start(cell.starts[t * kGroupsPerBlock + g]);
    }
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; ++i) {
      LEYDEN_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        dot[t] = Format::dot(dot[t], groups.w[g][i], cell.q + t * kBlock + g * kGroup + 4 * i);
      }
    }
    LEYDEN_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      part[t] = fma(bits_as_f32(dot[t]), groups.scale[g], part[t]);
    }
  }
  LEYDEN_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    if constexpr (kLast) {
      float* sum = cell.sum + t * kTileRows;
      store(sum, fma(part[t], broadcast_rows(cell.scale[t]), load_rows(sum)));
    } else {
      store(cell.part + t * kTileRows, part[t]);
    }
  }
}

LEYDEN_INLINE void read_ahead(const std::byte* line) { __builtin_prefetch(line, 0, 1); }

/// When the block ends in another page than it begins: the first lines of the page after that.
LEYDEN_INLINE void touch_next_page(const std::byte* block, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(block) / kPage;
  const auto last = reinterpret_cast<std::uintptr_t>(block + bytes) / kPage;
  if (first == last) return;
  const std::byte* page = reinterpret_cast<const std::byte*>((last + 1) * kPage);
  for (int i = 0; i < kPageTouchLines; ++i) read_ahead(page + i * kLine);
}

/// Groups kGroup0 .. of one block and half tile times all tokens of the panel: kWidth of them, or
/// `width` if kWidth is kAnyWidth.
template <int kWidth, int kGroup0, typename Format>
LEYDEN_INLINE void multiply_groups(const Format& format, const std::byte* block, int half,
                                   F32Rows bias, Cell cell, int any_width) {
  const int width = kWidth == kAnyWidth ? any_width : kWidth;
  constexpr bool kFirst = kGroup0 == 0;
  constexpr bool kLast = kGroup0 + kGroupsAtOnce == kGroupsPerBlock;
  Groups<Format> groups;
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsAtOnce; ++g) {
    format.quads(block, kGroup0 + g, half, groups.w[g]);
    groups.scale[g] = load_scale(block, kGroup0 + g, half);
  }
  // The lines ahead are shared evenly by the steps of a block.
  constexpr int kLines = static_cast<int>(Format::kBytes / kLine);
  constexpr int kSteps = kHalves * kGroupsPerBlock / kGroupsAtOnce;
  const int step = half * (kSteps / kHalves) + kGroup0 / kGroupsAtOnce;
  const std::byte* ahead = block + kReadAhead + step * kLines / kSteps * kLine;
  const std::byte* const ahead_end = block + kReadAhead + (step + 1) * kLines / kSteps * kLine;
  cell.q += kGroup0 * kGroup;
  cell.starts += kGroup0;
  cell.part += half * kRows;
  cell.sum += half * kRows;
  for (int t = width / 2; t > 0; --t) {
    if (ahead < ahead_end) {
      for (int i = 0; i < kLinesPerStep; ++i) read_ahead(ahead + i * kLine);
      ahead += kLinesPerStep * kLine;
    }
    add_groups<Format, kFirst, kLast, 2>(groups, bias, cell);
    cell = next(cell, 2);
  }
  for (; ahead < ahead_end; ahead += kLine) read_ahead(ahead);
  if (width % 2 != 0) add_groups<Format, kFirst, kLast, 1>(groups, bias, cell);
}

template <int kWidth, typename Format>
LEYDEN_INLINE void multiply_block(const Format& format, const std::byte* block, const Cell& cell,
                                  int width) {
  LEYDEN_UNROLL
  for (int half = 0; half < kHalves; ++half) {
    const F32Rows bias = load_bias(block, half);
    [&]<int... kStep>(std::integer_sequence<int, kStep...>) __attribute__((always_inline)) {
      (multiply_groups<kWidth, kStep * kGroupsAtOnce>(format, block, half, bias, cell, width), ...);
    }
    (std::make_integer_sequence<int, kGroupsPerBlock / kGroupsAtOnce>());
  }
}

/// All tiles of the call times one panel; out is the panel's first row of results.
template <int kWidth, typename Format>
LEYDEN_INLINE void multiply_panel(const Format& format, const MatmulArgs& args,
                                  const ActivationPanel& panel, float* out) {
  Sums* sums = reinterpret_cast<Sums*>(args.scratch);
  const std::byte* block = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    for (int t = 0; t < panel.width; ++t) store(sums->sum[t], zero_f32());
    Cell cell = {panel.q, Format::starts(panel), panel.scale, sums->part[0], sums->sum[0]};
    for (int b = 0; b < args.n_blocks; ++b, block += Format::kBytes) {
      if (panel.width >= kPageTouchTokens) touch_next_page(block, Format::kBytes);
      multiply_block<kWidth>(format, block, cell, panel.width);
      cell.q += panel.width * kBlock;
      cell.starts += panel.width * kGroupsPerBlock;
      cell.scale += panel.width;
    }
    for (int t = 0; t < panel.width; ++t) {
      store_first(out + t * args.out_stride + row, load(sums->sum[t]), args.n_rows - row);
    }
  }
}

template <typename Format>
LEYDEN_INLINE void matmul(const Format& format, const MatmulArgs& args) {
  float* out = args.out;
  for (int p = 0; p < args.n_panels; ++p) {
    if (args.panels[p].width == 1) {  // decoding
      multiply_panel<1>(format, args, args.panels[p], out);
    } else {
      multiply_panel<kAnyWidth>(format, args, args.panels[p], out);
    }
    out += args.panels[p].width * args.out_stride;
  }
}

}  // namespace

void matmul_int8(const MatmulArgs& args) noexcept { matmul(Int8{}, args); }

void matmul_int4(const MatmulArgs& args) noexcept {
  matmul(Int4{load_rows_table(args.levels)}, args);
}

}  // namespace leyden::simd::LEYDEN_ISA
