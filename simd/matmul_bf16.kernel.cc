#include "simd/matmul.h"
#include "simd/vec.h"
#if defined(LEYDEN_ISA_amx)
#include "simd/matmul_bf16_amx.h"
#endif

// bf16 weights times bf16 activations. A lane is an output row. Two ways to the contract's bits:
// two fmas for a line of weights, or vdpbf16ps, which is one instruction for as many products, but
// on Intel's CPUs four times as slow as an fma.
namespace leyden::simd::LEYDEN_ISA {
namespace {

// Tokens at once: each holds two sums in registers.
#if defined(LEYDEN_ISA_avx2)
constexpr int kTokens = 2;
#else
constexpr int kTokens = 12;
#endif
/// How many to go on with where fewer than n are left.
constexpr int fewer(int n) { return n > 4 ? 4 : 1; }

constexpr int kGroupBytes = kTileRows * kGroup * 2;

// Weights are asked for this far (bytes) before they are needed; see matmul_blocks.h.
constexpr int kReadAhead = 8192;

/// In the caller's scratch: a block of activations in the form that a way multiplies, and sums over
/// groups.
struct Work {
  float x[kTokens][kBlock];
  float sum[kTokens][kTileRows];
};
static_assert(sizeof(Work) <= kMatmulScratchBytes);

/// Subnormals are zeros while it lives, as the contract has it. vdpbf16ps doesn't ask.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { set(before_ | kFlushToZero | kDenormalsAreZero); }
  ~FlushSubnormals() { set(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  /// What is loaded afterwards is computed with afterwards, what was stored is computed.
  static void set(unsigned state) {
    asm volatile("" ::: "memory");
    _mm_setcsr(state);
    asm volatile("" ::: "memory");
  }
  unsigned before_;
};

LEYDEN_INLINE I32x16 load_pairs(const void* p) { return load(static_cast<const std::int32_t*>(p)); }
LEYDEN_INLINE F32x16 even_of(I32x16 pairs) { return bits_as_f32(shift_left<16>(pairs)); }
LEYDEN_INLINE F32x16 odd_of(I32x16 pairs) {
  return bits_as_f32(pairs & broadcast_i32(static_cast<std::int32_t>(0xffff0000)));
}

struct ByFma {
  static constexpr int kGroupFloats = kGroup;  // that a group takes in Work::x
  /// Widened: of each group the even columns, then the odd ones.
  LEYDEN_INLINE void prepare(const std::uint16_t* x, float* to) {
    LEYDEN_UNROLL
    for (int i = 0; i < kBlock; i += kGroup) {
      const I32x16 pairs = load_pairs(x + i);
      store(to + i, even_of(pairs));
      store(to + i + kGroup / 2, odd_of(pairs));
    }
  }
  /// Columns 4i ... 4i + 3 of a group, whose two lines of weights are `lines`; x is the group's.
  template <int kCount>
  LEYDEN_INLINE void add_quad(const std::byte* lines, const float* x, int i, F32x16* even,
                              F32x16* odd) {
    LEYDEN_UNROLL
    for (int line = 0; line < 2; ++line) {
      const I32x16 pairs = load_pairs(lines + line * kLine);
      const F32x16 w_even = even_of(pairs), w_odd = odd_of(pairs);
      LEYDEN_UNROLL
      for (int t = 0; t < kCount; ++t) {
        const float* const at = x + t * kBlock + 2 * i + line;
        even[t] = fma(broadcast(at[0]), w_even, even[t]);
        odd[t] = fma(broadcast(at[kGroup / 2]), w_odd, odd[t]);
      }
    }
  }
};

#if defined(LEYDEN_ISA_avx512vnni)
struct ByDot {
  static constexpr int kGroupFloats = kGroup / 2;
  /// Columns 4i + 2, 4i, 4i + 3, 4i + 1: vdpbf16ps adds the second of a pair first.
  LEYDEN_INLINE void prepare(const std::uint16_t* x, float* to) {
    LEYDEN_UNROLL
    for (int i = 0; i < kBlock; i += kGroup) {
      store_bytes(to + i / 2, regroup_words<2, 0, 3, 1>(load_bytes(x + i)));
    }
  }
  template <int kCount>
  LEYDEN_INLINE void add_quad(const std::byte* lines, const float* x, int i, F32x16* even,
                              F32x16* odd) {
    const I32x16 first = load_pairs(lines), second = load_pairs(lines + kLine);
    const I32x16 w_even = high_and_low(shift_left<16>(first), second);
    const I32x16 w_odd = high_and_low(first, shift_right<16>(second));
    LEYDEN_UNROLL
    for (int t = 0; t < kCount; ++t) {
      const float* const at = x + t * kBlock + 2 * i;
      even[t] = dot_bf16(even[t], w_even, at);
      odd[t] = dot_bf16(odd[t], w_odd, at + 1);
    }
  }
};
#endif

/// Adds one group to the sums of kCount tokens.
template <typename Way, int kCount>
LEYDEN_INLINE void add_group(const std::byte* lines, const float* x, float* sum) {
  F32x16 even[kCount], odd[kCount];
  LEYDEN_UNROLL
  for (int t = 0; t < kCount; ++t) even[t] = odd[t] = zero_f32();
  for (int i = 0; i < kGroup / 4; ++i, lines += 2 * kLine) {
    prefetch(lines + kReadAhead);
    prefetch(lines + kReadAhead + kLine);
    Way::template add_quad<kCount>(lines, x, i, even, odd);
  }
  LEYDEN_UNROLL
  for (int t = 0; t < kCount; ++t) {
    float* const to = sum + t * kTileRows;
    store(to, load(to) + (even[t] + odd[t]));
  }
}

/// One tile times kCount tokens of a panel, from token `first` on.
template <typename Way, int kCount>
LEYDEN_INLINE void multiply(const std::byte* tile, const MatmulArgs& args,
                            const ActivationPanel& panel, int first, int n_rows, float* out) {
  Work& work = *reinterpret_cast<Work*>(args.scratch);
  for (int t = 0; t < kCount; ++t) store(work.sum[t], zero_f32());
  const std::uint16_t* x = panel.bf16 + std::ptrdiff_t{first} * kBlock;
  for (int b = 0; b < args.n_blocks; ++b) {
    for (int t = 0; t < kCount; ++t) Way::prepare(x + t * kBlock, work.x[t]);
    for (int g = 0; g < kGroupsPerBlock; ++g, tile += kGroupBytes) {
      add_group<Way, kCount>(tile, work.x[0] + g * Way::kGroupFloats, work.sum[0]);
    }
    x += std::ptrdiff_t{panel.width} * kBlock;
  }
  for (int t = 0; t < kCount; ++t) {
    store_first(out + (first + t) * args.out_stride, load(work.sum[t]), n_rows);
  }
}

/// One tile times the tokens of a panel from `first` on, kCount at a time and then fewer.
template <typename Way, int kCount>
LEYDEN_INLINE void multiply_panel(const std::byte* tile, const MatmulArgs& args,
                                  const ActivationPanel& panel, int first, int n_rows, float* out) {
  for (; first + kCount <= panel.width; first += kCount) {
    multiply<Way, kCount>(tile, args, panel, first, n_rows, out);
  }
  if constexpr (kCount > 1) {
    multiply_panel<Way, fewer(kCount)>(tile, args, panel, first, n_rows, out);
  }
}

template <typename Way>
LEYDEN_INLINE void matmul(const MatmulArgs& args) {
  const FlushSubnormals flush;
  const std::byte* tile = args.tiles;
  for (int row = 0; row < args.n_rows; row += kTileRows) {
    float* out = args.out + row;
    for (int p = 0; p < args.n_panels; ++p) {
      multiply_panel<Way, kTokens>(tile, args, args.panels[p], 0, args.n_rows - row, out);
      out += args.panels[p].width * args.out_stride;
    }
    tile += kBlockBytesBf16 * args.n_blocks;
  }
}

}  // namespace

void matmul_bf16(const MatmulArgs& args) noexcept {
#if defined(LEYDEN_ISA_amx)
  matmul_amx(args);
#else
#if defined(LEYDEN_ISA_avx512vnni)
  if (args.bf16_at_once) return matmul<ByDot>(args);
#endif
  matmul<ByFma>(args);
#endif
}

}  // namespace leyden::simd::LEYDEN_ISA
