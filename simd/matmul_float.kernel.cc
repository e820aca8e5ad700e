#include "simd/matmul.h"
#include "simd/vec.h"

// f32 and bf16 weights times f32 activations: one fma per weight and token. A lane is an output
// row.
namespace leyden::simd::LEYDEN_ISA {
namespace {

// Tokens at once: each holds the contract's four sums in registers.
#if defined(LEYDEN_ISA_avx2)
constexpr int kTokens = 1;
#else
constexpr int kTokens = 6;
#endif

// Weights are asked for this far (bytes) before they are needed; see matmul_blocks.h.
constexpr int kReadAhead = 8192;

struct F32 {
  static constexpr std::size_t kBytes = kBlockBytesF32;
  /// Columns 4 * quad .. 4 * quad + 3 of the 16 rows.
  LEYDEN_INLINE void load_quad(const std::byte* block, int quad, F32x16* w) {
    const float* lines = reinterpret_cast<const float*>(block) + quad * 4 * kTileRows;
    LEYDEN_UNROLL
    for (int s = 0; s < 4; ++s) w[s] = load(lines + s * kTileRows);
  }
};

struct Bf16 {
  static constexpr std::size_t kBytes = kBlockBytesBf16;
  LEYDEN_INLINE void load_quad(const std::byte* block, int quad, F32x16* w) {
    const std::int32_t* pairs = reinterpret_cast<const std::int32_t*>(block) + quad * 2 * kTileRows;
    LEYDEN_UNROLL
    for (int s = 0; s < 4; s += 2) {
      const I32x16 pair = load(pairs + s / 2 * kTileRows);
      w[s] = bits_as_f32(shift_left<16>(pair));
      w[s + 1] = bits_as_f32(pair & broadcast_i32(static_cast<std::int32_t>(0xffff0000)));
    }
  }
};

/// One tile times kCount tokens of a panel, from token `first` on.
template <typename Format, int kCount>
LEYDEN_INLINE void multiply(const std::byte* block, const MatmulArgs& args,
                            const ActivationPanel& panel, int first, int n_rows, float* out) {
  F32x16 sum[kCount][4];
  LEYDEN_UNROLL
  for (int t = 0; t < kCount; ++t) {
    LEYDEN_UNROLL
    for (int s = 0; s < 4; ++s) sum[t][s] = zero_f32();
  }
  const float* x = panel.x + std::ptrdiff_t{first} * kBlock;
  for (int b = 0; b < args.n_blocks; ++b) {
    for (int quad = 0; quad < kBlock / 4; ++quad) {
      constexpr int kQuadBytes = static_cast<int>(Format::kBytes) / (kBlock / 4);
      LEYDEN_UNROLL
      for (int i = 0; i < kQuadBytes; i += kLine) {
        prefetch(block + quad * kQuadBytes + kReadAhead + i);
      }
      F32x16 w[4];
      Format::load_quad(block, quad, w);
      LEYDEN_UNROLL
      for (int t = 0; t < kCount; ++t) {
        LEYDEN_UNROLL
        for (int s = 0; s < 4; ++s) {
          sum[t][s] = fma(broadcast(x[t * kBlock + 4 * quad + s]), w[s], sum[t][s]);
        }
      }
    }
    block += Format::kBytes;
    x += std::ptrdiff_t{panel.width} * kBlock;
  }
  LEYDEN_UNROLL
  for (int t = 0; t < kCount; ++t) {
    const F32x16 total = (sum[t][0] + sum[t][1]) + (sum[t][2] + sum[t][3]);
    store_first(out + (first + t) * args.out_stride, total, n_rows);
  }
}

template <typename Format>
LEYDEN_INLINE void matmul(const MatmulArgs& args) {
  const std::byte* tile = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    float* out = args.out + row;
    const int n_rows = args.n_rows - row;
    for (int p = 0; p < args.n_panels; ++p) {
      const ActivationPanel& panel = args.panels[p];
      int t = 0;
      for (; t + kTokens <= panel.width; t += kTokens) {
        multiply<Format, kTokens>(tile, args, panel, t, n_rows, out);
      }
      for (; t < panel.width; ++t) multiply<Format, 1>(tile, args, panel, t, n_rows, out);
      out += panel.width * args.out_stride;
    }
    tile += Format::kBytes * args.n_blocks;
  }
}

}  // namespace

void matmul_f32(const MatmulArgs& args) noexcept { matmul<F32>(args); }

void matmul_bf16_f32(const MatmulArgs& args) noexcept { matmul<Bf16>(args); }

}  // namespace leyden::simd::LEYDEN_ISA
