#include <utility>

#include "simd/matmul.h"
#include "simd/vec_rows.h"

// int8 and int4 weights. A register holds a column quad of kRows output rows; the inner loop meets
// one group of 32 columns (8 quads, in registers) with all tokens of a panel. Up to one panel is
// multiplied straight from the packed tile. For more, some tiles are first unpacked to scratch, a
// piece of K at a time, so that the panels find them, and their own piece, in the nearest caches.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kQuads = kGroup / 4;
constexpr int kRowBytes = kRows * 4;  // of one quad in one register

// Unpacking to scratch: tiles and blocks at once. Together with a panel's piece (16 tokens x 8
// blocks, 16 KiB) they stay in a second-level cache of 256 KiB.
constexpr int kTilesAtOnce = 4;
constexpr int kBlocksAtOnce = 8;
// One unpacked block: [4 groups][16 rows] f32 scales, [16 rows] f32 biases, then the bytes
// [32 quads][16 rows][4 columns].
constexpr std::size_t kUnpackedFloats = std::size_t{kGroupsPerBlock + 1} * kTileRows * 4;
constexpr std::size_t kUnpackedBytes = kUnpackedFloats + std::size_t{kTileRows} * kBlock;
static_assert(kTilesAtOnce * kBlocksAtOnce * kUnpackedBytes <= kMatmulScratchBytes);

// Packed weights are read once, from memory: this far ahead (bytes), a line at a time.
constexpr int kReadAhead = 2048;

LEYDEN_INLINE F32Rows packed_scale(const std::byte* block, int g, int half) {
  return load_rows_fp16(block + (g * kTileRows + half * kRows) * 2);
}

/// What kFloatBias adds to the part of a block (matmul.h), to be taken out before.
LEYDEN_INLINE F32Rows packed_bias(const std::byte* block, int half) {
  const F32Rows first = packed_scale(block, 0, half) + packed_scale(block, 1, half);
  const F32Rows last = packed_scale(block, 2, half) + packed_scale(block, 3, half);
  return broadcast_rows(-kFloatBias) * (first + last);
}

// The weights of a tile, block by block, as the inner loop sees them.

struct Int8 {
  static constexpr std::size_t kBytes = kBlockBytesInt8;
  static constexpr bool kFromMemory = true;

  [[gnu::always_inline]] F32Rows scale(const std::byte* block, int g, int half) const {
    return packed_scale(block, g, half);
  }
  [[gnu::always_inline]] F32Rows bias(const std::byte* block, int half) const {
    return packed_bias(block, half);
  }
  [[gnu::always_inline]] void quads(const std::byte* block, int g, int half, I8Rows* w) const {
    const std::byte* line = block + kBlockScaleBytes + g * kQuads * kLine + half * kRowBytes;
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; ++i) w[i] = load_rows_bytes(line + i * kLine);
  }
  LEYDEN_INLINE const std::int32_t* starts(const ActivationPanel& p) { return p.start_int8; }
  LEYDEN_INLINE I32Rows start(std::int32_t s) { return start_rows_offset128(s); }
  LEYDEN_INLINE I32Rows dot(I32Rows acc, I8Rows w, const std::int8_t* q) {
    return dot_offset128(acc, w, q);
  }
};

struct Int4 {
  static constexpr std::size_t kBytes = kBlockBytesInt4;
  static constexpr bool kFromMemory = true;
  I8Rows table;

  [[gnu::always_inline]] F32Rows scale(const std::byte* block, int g, int half) const {
    return packed_scale(block, g, half);
  }
  [[gnu::always_inline]] F32Rows bias(const std::byte* block, int half) const {
    return packed_bias(block, half);
  }
  [[gnu::always_inline]] void quads(const std::byte* block, int g, int half, I8Rows* w) const {
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
  LEYDEN_INLINE I32Rows dot(I32Rows acc, I8Rows w, const std::int8_t* q) {
    return dot_u7(acc, w, q);
  }
};

/// Unpacked blocks of either format.
template <typename Packed>
struct Unpacked {
  static constexpr std::size_t kBytes = kUnpackedBytes;
  static constexpr bool kFromMemory = false;

  [[gnu::always_inline]] F32Rows scale(const std::byte* block, int g, int half) const {
    return load_rows(reinterpret_cast<const float*>(block) + g * kTileRows + half * kRows);
  }
  [[gnu::always_inline]] F32Rows bias(const std::byte* block, int half) const {
    return scale(block, kGroupsPerBlock, half);
  }
  [[gnu::always_inline]] void quads(const std::byte* block, int g, int half, I8Rows* w) const {
    const std::byte* line = block + kUnpackedFloats + g * kQuads * kLine + half * kRowBytes;
    LEYDEN_UNROLL
    for (int i = 0; i < kQuads; ++i) w[i] = load_rows_bytes(line + i * kLine);
  }
  LEYDEN_INLINE const std::int32_t* starts(const ActivationPanel& p) { return Packed::starts(p); }
  LEYDEN_INLINE I32Rows start(std::int32_t s) { return Packed::start(s); }
  LEYDEN_INLINE I32Rows dot(I32Rows acc, I8Rows w, const std::int8_t* q) {
    return Packed::dot(acc, w, q);
  }
};

template <typename Packed>
LEYDEN_INLINE void unpack_block(const Packed& packed, const std::byte* block, std::byte* unpacked) {
  float* scales = reinterpret_cast<float*>(unpacked);
  for (int half = 0; half < kHalves; ++half) {
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      store(scales + g * kTileRows + half * kRows, packed.scale(block, g, half));
      I8Rows w[kQuads];
      packed.quads(block, g, half, w);
      std::byte* line = unpacked + kUnpackedFloats + g * kQuads * kLine + half * kRowBytes;
      LEYDEN_UNROLL
      for (int i = 0; i < kQuads; ++i) store_bytes(line + i * kLine, w[i]);
    }
    store(scales + kGroupsPerBlock * kTileRows + half * kRows, packed.bias(block, half));
  }
}

/// A run of blocks of one tile and where their sums go.
struct TileRun {
  const std::byte* block;
  int first_block, n_blocks;
  int n_rows;  // 1 to 16
  float* out;  // of the tile's first row and the panel's first token
  std::ptrdiff_t out_stride;
};

/// out[t] (+)= the run times the panel's kWidth tokens; added to what is there when the run doesn't
/// start at block 0, as if it had gone on.
template <typename Weights, int kWidth>
void multiply(const Weights& weights, const TileRun& run, const ActivationPanel& panel) {
  F32Rows sum[kHalves][kWidth];
  LEYDEN_UNROLL
  for (int half = 0; half < kHalves; ++half) {
    LEYDEN_UNROLL
    for (int t = 0; t < kWidth; ++t) {
      const float* out = run.out + t * run.out_stride + half * kRows;
      sum[half][t] = run.first_block == 0 ? broadcast_rows(0.0f)
                                          : load_rows_first(out, run.n_rows - half * kRows);
    }
  }
  const std::byte* block = run.block;
  const std::ptrdiff_t first_cell = std::ptrdiff_t{run.first_block} * kWidth;
  const std::int8_t* q = panel.q + first_cell * kBlock;
  const float* a_scale = panel.scale + first_cell;
  const std::int32_t* starts = Weights::starts(panel) + first_cell * kGroupsPerBlock;

  for (int b = 0; b < run.n_blocks; ++b) {
    F32Rows part[kHalves][kWidth];
    LEYDEN_UNROLL
    for (int half = 0; half < kHalves; ++half) {
      const F32Rows bias = weights.bias(block, half);
      LEYDEN_UNROLL
      for (int t = 0; t < kWidth; ++t) part[half][t] = bias;
    }
    if constexpr (Weights::kFromMemory) {
      for (std::size_t i = 0; i < Weights::kBytes; i += kLine) {
        __builtin_prefetch(block + kReadAhead + i);
      }
    }
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      LEYDEN_UNROLL
      for (int half = 0; half < kHalves; ++half) {
        I8Rows w[kQuads];
        weights.quads(block, g, half, w);
        const F32Rows scale = weights.scale(block, g, half);
        LEYDEN_UNROLL
        for (int t = 0; t < kWidth; ++t) {
          I32Rows dot = Weights::start(starts[t * kGroupsPerBlock + g]);
          LEYDEN_UNROLL
          for (int i = 0; i < kQuads; ++i) {
            dot = Weights::dot(dot, w[i], q + t * kBlock + g * kGroup + 4 * i);
          }
          part[half][t] = fma(bits_as_f32(dot), scale, part[half][t]);
        }
      }
    }
    LEYDEN_UNROLL
    for (int half = 0; half < kHalves; ++half) {
      LEYDEN_UNROLL
      for (int t = 0; t < kWidth; ++t) {
        sum[half][t] = fma(part[half][t], broadcast_rows(a_scale[t]), sum[half][t]);
      }
    }
    block += Weights::kBytes;
    q += kWidth * kBlock;
    a_scale += kWidth;
    starts += kWidth * kGroupsPerBlock;
  }
  LEYDEN_UNROLL
  for (int half = 0; half < kHalves; ++half) {
    LEYDEN_UNROLL
    for (int t = 0; t < kWidth; ++t) {
      float* out = run.out + t * run.out_stride + half * kRows;
      store_first(out, sum[half][t], run.n_rows - half * kRows);
    }
  }
}

template <typename Weights>
using Multiply = void (*)(const Weights&, const TileRun&, const ActivationPanel&);

template <typename Weights, int... kWidthLess1>
constexpr Multiply<Weights> multiply_of_width(int width,
                                              std::integer_sequence<int, kWidthLess1...>) {
  constexpr Multiply<Weights> kByWidth[] = {multiply<Weights, kWidthLess1 + 1>...};
  return kByWidth[width - 1];
}

template <typename Weights>
LEYDEN_INLINE void multiply(const Weights& weights, const TileRun& run,
                            const ActivationPanel& panel) {
  multiply_of_width<Weights>(panel.width, std::make_integer_sequence<int, kPanelTokens>())(
      weights, run, panel);
}

LEYDEN_INLINE int smaller(int a, int b) { return a < b ? a : b; }

template <typename Packed>
LEYDEN_INLINE void matmul_from_packed(const Packed& packed, const MatmulArgs& args) {
  const std::byte* tile = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    multiply(packed,
             {tile, 0, args.n_blocks, smaller(kTileRows, args.n_rows - row), args.out + row,
              args.out_stride},
             args.panels[0]);
    tile += Packed::kBytes * args.n_blocks;
  }
}

template <typename Packed>
LEYDEN_INLINE void matmul_from_scratch(const Packed& packed, const MatmulArgs& args) {
  constexpr int kRowsAtOnce = kTilesAtOnce * kTileRows;
  const std::size_t tile_bytes = Packed::kBytes * args.n_blocks;
  const std::byte* tiles = args.tiles;
  for (int row = 0; row < args.n_rows; row += kRowsAtOnce, tiles += kTilesAtOnce * tile_bytes) {
    const int row_end = smaller(row + kRowsAtOnce, args.n_rows);
    for (int b = 0; b < args.n_blocks; b += kBlocksAtOnce) {
      const int n_blocks = smaller(kBlocksAtOnce, args.n_blocks - b);
      const std::byte* tile = tiles + b * Packed::kBytes;
      std::byte* scratch = args.scratch;
      for (int r = row; r < row_end; r += kTileRows, tile += tile_bytes) {
        for (int i = 0; i < n_blocks; ++i, scratch += kUnpackedBytes) {
          unpack_block(packed, tile + i * Packed::kBytes, scratch);
        }
      }
      float* out = args.out;
      for (int p = 0; p < args.n_panels; ++p) {
        scratch = args.scratch;
        for (int r = row; r < row_end; r += kTileRows, scratch += n_blocks * kUnpackedBytes) {
          multiply(
              Unpacked<Packed>{},
              {scratch, b, n_blocks, smaller(kTileRows, row_end - r), out + r, args.out_stride},
              args.panels[p]);
        }
        out += args.panels[p].width * args.out_stride;
      }
    }
  }
}

template <typename Packed>
LEYDEN_INLINE void matmul(const Packed& packed, const MatmulArgs& args) {
  if (args.n_panels == 1) return matmul_from_packed(packed, args);
  matmul_from_scratch(packed, args);
}

}  // namespace

void matmul_int8(const MatmulArgs& args) noexcept { matmul(Int8{}, args); }

void matmul_int4(const MatmulArgs& args) noexcept {
  matmul(Int4{load_rows_table(args.levels)}, args);
}

}  // namespace leyden::simd::LEYDEN_ISA
