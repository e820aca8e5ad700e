#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/amx_tiles.h"
#include "simd/matmul.h"

// bf16 products with AMX: sixteen tokens of a group of 32 columns are a tile register as they lie
// in a panel, and so are sixteen rows of weights. tdpbf16ps is the contract's step for a group. For
// matmul_bf16.kernel.cc.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kAmxTokens = 2 * kAmxRows;    // whose sums with two weight tiles lie in registers
constexpr int kAmxGroupLines = kGroup / 2;  // of one tile
constexpr std::ptrdiff_t kAmxGroupBytes = std::ptrdiff_t{kAmxGroupLines} * kLine;
constexpr std::ptrdiff_t kAmxTokenBytes = std::ptrdiff_t{kBlock} * 2;  // to the next of a cell

/// Weights that meet few tokens are asked for so many groups before they are needed.
constexpr int kAmxGroupsAhead = 8;

/// Tokens that meet a pair of weight tiles while it is in the second-level cache, and how many
/// bytes of their activations are multiplied with all rows of a call before the next columns are:
/// both should stay in that cache (2 MiB).
constexpr int kAmxTokensAtOnce = 128;
constexpr std::ptrdiff_t kAmxSliceBytes = std::ptrdiff_t{512} << 10;

/// Tile registers: 0, 1 sums of the first sixteen tokens with both weight tiles, 2, 3 of the
/// others; 4, 5 their activations; 6, 7 weights.
LEYDEN_INLINE AmxShapes shapes_for(int n_tokens) {
  AmxShapes shapes = AmxShapes::whole();
  const int first = n_tokens < kAmxRows ? n_tokens : kAmxRows;
  const int second = n_tokens > kAmxRows ? n_tokens - kAmxRows : 1;
  shapes.rows[0] = shapes.rows[1] = shapes.rows[4] = static_cast<std::uint8_t>(first);
  shapes.rows[2] = shapes.rows[3] = shapes.rows[5] = static_cast<std::uint8_t>(second);
  return shapes;
}

/// A product of up to kAmxTokens tokens and one or two weight tiles, over some columns.
struct AmxProduct {
  const std::byte* weights;     // of the first tile
  std::ptrdiff_t tile_bytes;    // to the second
  const std::uint16_t* x;       // cells of the first token, n_blocks of them
  std::ptrdiff_t block_values;  // from one to the next
  int n_blocks;
  int n_tokens;
  bool goes_on;  // adds to what `out` holds
  float* out;    // [n_tokens, rows of the tiles]
  std::ptrdiff_t out_stride;
  // Weights that are asked for meanwhile: of each group, in both tiles, lines first_line ...
  // end_line - 1; at `ahead_end` it goes on at `next`.
  const std::byte* ahead;
  const std::byte* ahead_end;
  const std::byte* next;
  int first_line, end_line;
};

template <int kTiles>
LEYDEN_INLINE void begin_sums(const AmxProduct& p) {
  const bool two_sixteens = p.n_tokens > kAmxRows;
  if (p.goes_on) {
    const std::ptrdiff_t stride = p.out_stride * 4;
    float* const second = p.out + kAmxRows * p.out_stride;
    tile_load<0>(p.out, stride);
    if constexpr (kTiles > 1) tile_load<1>(p.out + kTileRows, stride);
    if (two_sixteens) tile_load<2>(second, stride);
    if constexpr (kTiles > 1) {
      if (two_sixteens) tile_load<3>(second + kTileRows, stride);
    }
    return;
  }
  tile_zero<0>();
  tile_zero<1>();
  tile_zero<2>();
  tile_zero<3>();
}

template <int kTiles>
LEYDEN_INLINE void store_sums(const AmxProduct& p) {
  const bool two_sixteens = p.n_tokens > kAmxRows;
  const std::ptrdiff_t stride = p.out_stride * 4;
  float* const second = p.out + kAmxRows * p.out_stride;
  tile_store<0>(p.out, stride);
  if (two_sixteens) tile_store<2>(second, stride);
  if constexpr (kTiles > 1) {
    tile_store<1>(p.out + kTileRows, stride);
    if (two_sixteens) tile_store<3>(second + kTileRows, stride);
  }
}

/// For kSixteens times sixteen tokens, the last of them perhaps fewer.
template <int kSixteens, int kTiles>
LEYDEN_INLINE void add_groups(const AmxProduct& p) {
  const std::byte* w = p.weights;
  const auto* x = reinterpret_cast<const std::byte*>(p.x);
  const std::byte* ahead = p.ahead;
  const float* out_ahead = p.out + kTiles * kTileRows;
  const float* const out_end = out_ahead + p.n_tokens * p.out_stride;
  for (int b = 0; b < p.n_blocks; ++b, x += p.block_values * 2) {
    for (int g = 0; g < kGroupsPerBlock; ++g, w += kAmxGroupBytes, ahead += kAmxGroupBytes) {
      const std::byte* const tokens = x + std::ptrdiff_t{g} * kGroup * 2;
      tile_load<6>(w, kLine);
      tile_load<4>(tokens, kAmxTokenBytes);
      tile_dot_bf16<0, 4, 6>();
      if constexpr (kTiles > 1) {
        tile_load<7>(w + p.tile_bytes, kLine);
        tile_dot_bf16<1, 4, 7>();
      }
      if constexpr (kSixteens > 1) {
        tile_load<5>(tokens + kAmxRows * kAmxTokenBytes, kAmxTokenBytes);
        tile_dot_bf16<2, 5, 6>();
        if constexpr (kTiles > 1) tile_dot_bf16<3, 5, 7>();
      }
      if (ahead == p.ahead_end) ahead = p.next;
      if (out_ahead != out_end) {
        prefetch_far(out_ahead);
        if constexpr (kTiles > 1) prefetch_far(out_ahead + kTileRows);
        out_ahead += p.out_stride;
      }
      for (int i = p.first_line; i < p.end_line; ++i) {
        prefetch_far(ahead + i * kLine);
        if constexpr (kTiles > 1) prefetch_far(ahead + p.tile_bytes + i * kLine);
      }
    }
  }
}

template <int kTiles>
LEYDEN_INLINE void multiply_amx(const AmxProduct& p) {
  begin_sums<kTiles>(p);
  if (p.n_tokens > kAmxRows) {
    add_groups<2, kTiles>(p);
  } else {
    add_groups<1, kTiles>(p);
  }
  store_sums<kTiles>(p);
}

/// The products of a call, one after the other: of each slice of columns all pairs of weight tiles,
/// of each pair all tokens. From slice to slice sums are kept in args.out.
class AmxCall {
 public:
  explicit AmxCall(const MatmulArgs& args)
      : args_(args),
        tile_bytes_(std::ptrdiff_t{args.n_blocks} * kGroupsPerBlock * kAmxGroupBytes),
        after_last_(args.next != nullptr
                        ? args.next
                        : args.tiles + (args.n_rows + kTileRows - 1) / kTileRows * tile_bytes_) {}
  ~AmxCall() { end_tiles(); }
  AmxCall(const AmxCall&) = delete;
  AmxCall& operator=(const AmxCall&) = delete;

  /// As many panels at a time as have kAmxTokensAtOnce tokens.
  [[gnu::always_inline]] void run() {
    MatmulArgs args = args_;
    const ActivationPanel* const end = args_.panels + args_.n_panels;
    while (args.panels != end) {
      int n_tokens = 0;
      args.n_panels = 0;
      do {
        n_tokens += args.panels[args.n_panels++].width;
      } while (args.panels + args.n_panels != end &&
               n_tokens + args.panels[args.n_panels].width <= kAmxTokensAtOnce);
      multiply(args, n_tokens);
      args.panels += args.n_panels;
      args.out += n_tokens * args.out_stride;
    }
  }

 private:
  [[gnu::always_inline]] void multiply(const MatmulArgs& args, int n_tokens) {
    const std::ptrdiff_t fitting = kAmxSliceBytes / (n_tokens * kAmxTokenBytes);
    const int slice = fitting > args.n_blocks ? args.n_blocks : static_cast<int>(fitting);
    const int whole_pairs = args.n_rows / (2 * kTileRows);
    for (int block = 0; whole_pairs > 0 && block < args.n_blocks; block += slice) {
      const int left = args.n_blocks - block;
      for (int pair = 0; pair < whole_pairs; ++pair) {
        const std::byte* const next = pair + 1 < whole_pairs ? weights(pair + 1, block)
                                      : left > slice         ? weights(0, block + slice)
                                                             : after_last_;
        multiply_panels<2>(args, weights(pair, block), next, block, left < slice ? left : slice,
                           args.out + pair * 2 * kTileRows, args.out_stride);
      }
    }
    multiply_last_rows(args, whole_pairs * 2 * kTileRows);
  }

  [[gnu::always_inline]] const std::byte* weights(int pair, int block) const {
    return args_.tiles + 2 * pair * tile_bytes_ + block * kGroupsPerBlock * kAmxGroupBytes;
  }

  /// Rows that don't fill two tiles, by way of the caller's scratch.
  [[gnu::always_inline]] void multiply_last_rows(const MatmulArgs& args, int row) {
    for (; row < args.n_rows; row += kTileRows) {
      const std::byte* const tile = args.tiles + row / kTileRows * tile_bytes_;
      MatmulArgs one = args;
      float* out = args.out + row;
      for (int p = 0; p < args.n_panels; ++p) {
        one.panels = args.panels + p;
        one.n_panels = 1;
        auto* const sums = reinterpret_cast<float*>(args.scratch);
        multiply_panels<1>(one, tile, tile + tile_bytes_, 0, args.n_blocks, sums, kTileRows);
        for (int t = 0; t < args.panels[p].width; ++t, out += args.out_stride) {
          store_first(out, load(sums + t * kTileRows), args.n_rows - row);
        }
      }
    }
  }

  /// kTiles weight tiles times all panels, over n_blocks from `block` on. Where there are many
  /// tokens, each part of them asks for some lines of the weights that come after these.
  template <int kTiles>
  [[gnu::always_inline]] void multiply_panels(const MatmulArgs& args, const std::byte* weights,
                                              const std::byte* next, int block, int n_blocks,
                                              float* out, std::ptrdiff_t out_stride) {
    const std::ptrdiff_t bytes = std::ptrdiff_t{n_blocks} * kGroupsPerBlock * kAmxGroupBytes;
    int n_parts = 0, part = 0;
    for (int p = 0; p < args.n_panels; ++p) {
      n_parts += (args.panels[p].width + kAmxTokens - 1) / kAmxTokens;
    }
    AmxProduct product;
    product.weights = weights;
    product.tile_bytes = tile_bytes_;
    product.n_blocks = n_blocks;
    product.goes_on = block > 0;
    product.out_stride = out_stride;
    product.next = next;
    product.ahead_end = weights + bytes;
    const std::ptrdiff_t lead = kAmxGroupsAhead * kAmxGroupBytes;
    product.ahead = n_parts == 1 && lead < bytes ? weights + lead : next;
    for (int p = 0; p < args.n_panels; ++p) {
      const ActivationPanel& panel = args.panels[p];
      product.block_values = std::ptrdiff_t{panel.width} * kBlock;
      for (int first = 0; first < panel.width; first += kAmxTokens, ++part) {
        const int n = panel.width - first < kAmxTokens ? panel.width - first : kAmxTokens;
        if (n != shaped_for_) begin_tiles(shapes_for(n));
        shaped_for_ = n;
        product.x = panel.bf16 + block * product.block_values + std::ptrdiff_t{first} * kBlock;
        product.n_tokens = n;
        product.out = out;
        product.first_line = kAmxGroupLines * part / n_parts;
        product.end_line = kAmxGroupLines * (part + 1) / n_parts;
        multiply_amx<kTiles>(product);
        out += n * out_stride;
      }
    }
  }

  const MatmulArgs& args_;
  const std::ptrdiff_t tile_bytes_;
  const std::byte* const after_last_;
  int shaped_for_ = 0;  // tokens
};

LEYDEN_INLINE void matmul_amx(const MatmulArgs& args) { AmxCall(args).run(); }

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
