#include "simd/matmul.h"
#include "simd/vec.h"

// int8 and int4 weights: integer dot products per group, float steps per group and block.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kQuads = kGroup / 4;
constexpr int kTokens = 4;  // at once

struct Int8 {
  static constexpr std::size_t kBytes = kBlockBytesInt8;
  [[gnu::always_inline]] void unpack(const std::byte* block, int group, I8x64* quads) const {
    const std::byte* line = block + kBlockScaleBytes + group * kQuads * kLine;
    for (int i = 0; i < kQuads; ++i) quads[i] = load_bytes(line + i * kLine);
  }
  LEYDEN_INLINE I32x16 start(const ActivationPanel& panel, std::ptrdiff_t group) {
    return start_offset128(panel.start_int8[group]);
  }
  LEYDEN_INLINE I32x16 dot(I32x16 acc, I8x64 w, I8x64 a) { return dot_offset128(acc, w, a); }
};

struct Int4 {
  I8x64 table;
  static constexpr std::size_t kBytes = kBlockBytesInt4;
  [[gnu::always_inline]] void unpack(const std::byte* block, int group, I8x64* quads) const {
    const std::byte* line = block + kBlockScaleBytes + group * kQuads / 2 * kLine;
    for (int i = 0; i < kQuads; i += 2) {
      const I8x64 pair = load_bytes(line + i / 2 * kLine);
      quads[i] = look_up(table, low_nibbles(pair));
      quads[i + 1] = look_up(table, high_nibbles(pair));
    }
  }
  LEYDEN_INLINE I32x16 start(const ActivationPanel& panel, std::ptrdiff_t group) {
    return broadcast_i32(panel.start_int4[group]);
  }
  LEYDEN_INLINE I32x16 dot(I32x16 acc, I8x64 w, I8x64 a) { return dot_u7(acc, w, a); }
};

/// One tile times kCount tokens of a panel, from token `first` on.
template <typename Format, int kCount>
LEYDEN_INLINE void multiply(const Format& format, const std::byte* block, const MatmulArgs& args,
                            const ActivationPanel& panel, int first, int n_rows, float* out) {
  F32x16 sum[kCount];
  for (int t = 0; t < kCount; ++t) sum[t] = zero_f32();
  std::ptrdiff_t cell = first;
  for (int b = 0; b < args.n_blocks; ++b, block += Format::kBytes, cell += panel.width) {
    F32x16 part[kCount];
    for (int t = 0; t < kCount; ++t) part[t] = zero_f32();
    for (int g = 0; g < kGroupsPerBlock; ++g) {
      I8x64 quads[kQuads];
      format.unpack(block, g, quads);
      const F32x16 scale = load_fp16(reinterpret_cast<const std::uint16_t*>(block) + g * kTileRows);
      for (int t = 0; t < kCount; ++t) {
        const std::int8_t* q = panel.q + (cell + t) * kBlock + g * kGroup;
        I32x16 dot = Format::start(panel, (cell + t) * kGroupsPerBlock + g);
        for (int i = 0; i < kQuads; ++i)
          dot = Format::dot(dot, quads[i], broadcast_quad(q + 4 * i));
        part[t] = fma(to_f32(dot), scale, part[t]);
      }
    }
    for (int t = 0; t < kCount; ++t) {
      sum[t] = fma(part[t], broadcast(panel.scale[cell + t]), sum[t]);
    }
  }
  for (int t = 0; t < kCount; ++t) {
    store_first(out + (first + t) * args.out_stride, sum[t], n_rows);
  }
}

template <typename Format>
LEYDEN_INLINE void matmul(const Format& format, const MatmulArgs& args) {
  const std::byte* tile = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    float* out = args.out + row;
    const int n_rows = args.n_rows - row;
    for (int p = 0; p < args.n_panels; ++p) {
      const ActivationPanel& panel = args.panels[p];
      int t = 0;
      for (; t + kTokens <= panel.width; t += kTokens) {
        multiply<Format, kTokens>(format, tile, args, panel, t, n_rows, out);
      }
      for (; t < panel.width; ++t) multiply<Format, 1>(format, tile, args, panel, t, n_rows, out);
      out += panel.width * args.out_stride;
    }
    tile += Format::kBytes * args.n_blocks;
  }
}

}  // namespace

void matmul_int8(const MatmulArgs& args) noexcept { matmul(Int8{}, args); }

void matmul_int4(const MatmulArgs& args) noexcept { matmul(Int4{load_table(args.levels)}, args); }

}  // namespace leyden::simd::LEYDEN_ISA
