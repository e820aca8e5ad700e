#pragma once

#include "simd/amx_tiles.h"
#include "simd/matmul_blocks.h"

// Integer products with many tokens by AMX: up to sixteen tokens, a step, times two tiles of rows
// at a time. A group of columns has its own scale, so its sums leave the tile registers for the
// float steps of simd/matmul.h. Three things are woven together, group by group, because each alone
// leaves most of a core idle: this step is multiplied, the step before is summed, and the weights
// of the next block are unpacked. For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kAmxTiles = 2;
/// What is read ahead, of each tile.
constexpr int kAmxBlocksAhead = 8;

/// Weights without their offset, as tdpbssd wants them.
struct SignedInt8 : Int8 {
  [[gnu::always_inline]] void two_quads(const std::byte* block, int g, int i, int half,
                                        I8Rows* w) const {
    const std::byte* line = block + kBlockScaleBytes + (g * kQuads + i) * kLine + half * kRowBytes;
    const __m512i offset = _mm512_set1_epi8(static_cast<char>(kOffset));
    w[0] = {_mm512_xor_si512(load_rows_bytes(line).v, offset)};
    w[1] = {_mm512_xor_si512(load_rows_bytes(line + kLine).v, offset)};
  }
};
LEYDEN_INLINE SignedInt8 without_offset(const Int8&) { return {}; }
LEYDEN_INLINE Int4 without_offset(const Int4& format) {
  return {{_mm512_sub_epi8(format.table.v, _mm512_set1_epi8(Int4::kOffset))}};
}

/// Blocks whose scales are kept: those of the step before, of this one and of the next block are in
/// use, and a power of two is quickly counted around.
constexpr int kAmxBlocksInUse = 4;

/// The caller's scratch.
struct AmxWork {
  std::byte weights[kAmxTiles][kGroupsPerBlock][kQuads][kLine];  // of one block, int8
  // Of this step and the one before: sums of the groups, as floats (kFloatBiasBits)
  std::int32_t dots[2][kGroupsPerBlock][kAmxTiles][kAmxRows][kTileRows];
  float sums[kPanelTokens][kAmxTiles][kTileRows];  // over blocks
  float scales[kAmxBlocksInUse][kAmxTiles][kGroupsPerBlock][kTileRows];
  float bias[kAmxBlocksInUse][kAmxTiles][kTileRows];
  std::int32_t start[kAmxRows][kTileRows];  // kFloatBiasBits everywhere
};
static_assert(sizeof(AmxWork) <= kMatmulScratchBytes);

/// The tokens of a panel in steps of equally many: the last begins earlier where they don't come
/// out even, and leaves out the tokens that the one before had already.
struct AmxSteps {
  int n, rows, width;

  LEYDEN_INLINE AmxSteps of(int width) {
    const int n = (width + kAmxRows - 1) / kAmxRows;
    return {n, (width + n - 1) / n, width};
  }
  [[gnu::always_inline]] int first(int step) const {
    return step + 1 < n ? step * rows : width - rows;
  }
};

/// Rows of tile registers: 0 to 3 sums of two groups, 4 and 5 activations, 6 and 7 weights.
LEYDEN_INLINE AmxShapes matmul_shapes(const AmxSteps& steps) {
  AmxShapes shapes = AmxShapes::whole();
  for (int i = 0; i < 6; ++i) shapes.rows[i] = static_cast<std::uint8_t>(steps.rows);
  shapes.row_bytes[4] = shapes.row_bytes[5] = kGroup;
  shapes.rows[6] = shapes.rows[7] = kQuads;
  return shapes;
}

/// A block of each tile at work, and what is to be read ahead meanwhile.
template <int kTiles>
struct TileBlocks {
  const std::byte* block[kTiles];
  const std::byte* ahead[kTiles];
};

/// Unpacks the weights of group g and reads ahead.
template <int kTiles, typename Format>
LEYDEN_INLINE void unpack_group(const Format& format, const TileBlocks<kTiles>& at, int g, int slot,
                                AmxWork& work) {
  LEYDEN_UNROLL
  for (int j = 0; j < kTiles; ++j) {
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; i += 2) {
      I8Rows quads[2];
      format.two_quads(at.block[j], g, i, /*half=*/0, quads);
      store_bytes(work.weights[j][g][i], quads[0]);
      store_bytes(work.weights[j][g][i + 1], quads[1]);
    }
    const std::byte* const line = at.ahead[j] + g * Format::kLinesPerGroup * kLine;
    LEYDEN_UNROLL
    for (int i = 0; i < Format::kLinesPerGroup; ++i) {
      prefetch_weights<Format, kPanelTokens>(line + i * kLine);
    }
    store(work.scales[slot][j][g], load_scale(at.block[j], g, /*half=*/0));
    if (g > 0) continue;
    store(work.bias[slot][j], load_bias(at.block[j], /*half=*/0));
    LEYDEN_UNROLL
    for (std::size_t i = 0; i < kBlockScaleBytes; i += kLine) {
      prefetch_weights<Format, kPanelTokens>(at.ahead[j] + Format::kBytes - kBlockScaleBytes + i);
    }
  }
}

// The i-th sums of a step are those of group i / kTiles and tile i % kTiles. They stay in their
// register until some others have been started: to store them at once would be to wait for them.
constexpr int kAmxSums = 4;
template <int kTiles>
constexpr int kAmxLag = kTiles + 1;

template <int kTiles, int i>
LEYDEN_INLINE void start_sums(const AmxWork& work, const std::int8_t* q) {
  constexpr int g = i / kTiles, j = i % kTiles;
  constexpr int kSum = i % kAmxSums, kTokens = 4 + g % 2, kWeights = 6 + i % 2;
  if constexpr (j == 0) tile_load<kTokens>(q + g * kGroup, kBlock);
  tile_load<kSum>(work.start, kLine);
  tile_load<kWeights>(work.weights[j][g], kLine);
  tile_dot_i8_i8<kSum, kTokens, kWeights>();
}

/// Stores the sums that lag behind the i-th of the step that fills dots[turn].
template <int kTiles, int i>
LEYDEN_INLINE void store_sums(AmxWork& work, int turn) {
  constexpr int kCount = kGroupsPerBlock * kTiles, kLag = kAmxLag<kTiles>;
  static_assert(kLag < kAmxSums && kCount % kAmxSums == 0);
  constexpr int at = (i + kCount - kLag) % kCount;
  tile_store<at % kAmxSums>(work.dots[i < kLag ? turn ^ 1 : turn][at / kTiles][at % kTiles], kLine);
}

template <int kTiles, int g>
LEYDEN_INLINE void multiply_group(AmxWork& work, const std::int8_t* q, int turn) {
  start_sums<kTiles, g * kTiles>(work, q);
  store_sums<kTiles, g * kTiles>(work, turn);
  if constexpr (kTiles == 2) {
    start_sums<kTiles, g * kTiles + 1>(work, q);
    store_sums<kTiles, g * kTiles + 1>(work, turn);
  }
}

/// Stores the last sums, those of dots[turn ^ 1].
template <int kTiles>
LEYDEN_INLINE void drain_sums(AmxWork& work, int turn) {
  store_sums<kTiles, 0>(work, turn);
  store_sums<kTiles, 1>(work, turn);
  if constexpr (kTiles == 2) store_sums<kTiles, 2>(work, turn);
}

/// A step whose groups have been multiplied.
struct AmxStep {
  const std::int32_t (*dots)[kAmxTiles][kAmxRows][kTileRows];  // [groups]
  const float* scale;                                          // of its tokens
  float (*sums)[kAmxTiles][kTileRows];                         // of its tokens
  int slot;                                                    // of its block's scales
  int begin, end;                                              // the tokens to be summed
};

template <int kTiles>
struct AmxScales {
  F32Rows scale[kTiles][kGroupsPerBlock], bias[kTiles];

  LEYDEN_INLINE AmxScales of(const AmxWork& work, const AmxStep& step) {
    AmxScales s;
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      LEYDEN_UNROLL
      for (int g = 0; g < kGroupsPerBlock; ++g) s.scale[j][g] = load(work.scales[step.slot][j][g]);
      s.bias[j] = load(work.bias[step.slot][j]);
    }
    return s;
  }
};

/// The float steps for kTokens tokens of a step.
template <int kTiles, int kTokens>
LEYDEN_INLINE void add_tokens(const AmxStep& step, const AmxScales<kTiles>& s, int first) {
  LEYDEN_UNROLL
  for (int i = 0; i < kTokens; ++i) {
    const int t = first + i;
    const F32Rows a = broadcast_rows(step.scale[t]);
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      F32Rows part = s.bias[j];
      LEYDEN_UNROLL
      for (int g = 0; g < kGroupsPerBlock; ++g) {
        part = fma(bits_as_f32(load(step.dots[g][j][t])), s.scale[j][g], part);
      }
      store(step.sums[t][j], fma(part, a, load(step.sums[t][j])));
    }
  }
}

/// The same for the i-th third of its tokens.
template <int kTiles, int i>
LEYDEN_INLINE void add_third(const AmxWork& work, const AmxStep& step) {
  const auto s = AmxScales<kTiles>::of(work, step);
  const int n = step.end - step.begin;
  if (n == kAmxRows) {
    constexpr int kFirst = kAmxRows * i / 3, kEnd = kAmxRows * (i + 1) / 3;
    return add_tokens<kTiles, kEnd - kFirst>(step, s, step.begin + kFirst);
  }
  const int end = step.begin + n * (i + 1) / 3;
  for (int t = step.begin + n * i / 3; t < end; ++t) add_tokens<kTiles, 1>(step, s, t);
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
  const auto blocks_at = [&](int b) __attribute__((always_inline)) {
    TileBlocks<kTiles> at;
    const std::ptrdiff_t ahead = b + kAmxBlocksAhead;
    LEYDEN_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      at.block[j] = tiles + j * tile_bytes + b * std::ptrdiff_t{Format::kBytes};
      at.ahead[j] = (ahead < n_blocks ? tiles : next - n_blocks * std::ptrdiff_t{Format::kBytes}) +
                    j * tile_bytes + ahead * std::ptrdiff_t{Format::kBytes};
    }
    return at;
  };
  const auto weights = without_offset(format);
  TileBlocks<kTiles> at = blocks_at(0);
  LEYDEN_UNROLL
  for (int g = 0; g < kGroupsPerBlock; ++g) unpack_group(weights, at, g, 0, work);

  const AmxSteps steps = AmxSteps::of(panel.width);
  const std::int8_t* q = panel.q;
  const float* scale = panel.scale;
  AmxStep before = {};
  int turn = 0;
  for (int b = 0; b < n_blocks; ++b, q += panel.width * kBlock, scale += panel.width) {
    at = blocks_at(b + 1);
    for (int s = 0; s < steps.n; ++s, turn ^= 1) {
      const int first = steps.first(s);
      const bool unpacks = s + 1 == steps.n && b + 1 < n_blocks;
      const std::int8_t* const tokens = q + first * kBlock;
      // The last sums of the step before are stored with this one's first group.
      const auto weave = [&]<int g>() __attribute__((always_inline)) {
        multiply_group<kTiles, g>(work, tokens, turn);
        if constexpr (g > 0) add_third<kTiles, g - 1>(work, before);
        if (unpacks) unpack_group(weights, at, g, (b + 1) % kAmxBlocksInUse, work);
      };
      weave.template operator()<0>();
      weave.template operator()<1>();
      weave.template operator()<2>();
      weave.template operator()<3>();
      before = {work.dots[turn],     scale + first,          work.sums + first,
                b % kAmxBlocksInUse, s * steps.rows - first, steps.rows};
    }
  }
  drain_sums<kTiles>(work, turn);
  add_third<kTiles, 0>(work, before);
  add_third<kTiles, 1>(work, before);
  add_third<kTiles, 2>(work, before);
}

/// All tiles of the call times one panel; args.out is the panel's.
template <typename Format>
LEYDEN_INLINE void multiply_amx(const Format& format, const MatmulArgs& args,
                                const ActivationPanel& panel) {
  AmxWork& work = *reinterpret_cast<AmxWork*>(args.scratch);
  for (int r = 0; r < kAmxRows; ++r) store(work.start[r], broadcast_i32(kFloatBiasBits));
  begin_tiles(matmul_shapes(AmxSteps::of(panel.width)));
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
