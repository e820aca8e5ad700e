#include "simd/matmul_few.h"
#include "simd/matmul_many.h"
#if defined(LEYDEN_ISA_amx)
#include "simd/matmul_amx.h"
#endif

// int8 and int4 weights.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// The panel by the path for its width, of which those up to kFewTokens each have their own.
template <int kTokens, typename Format>
LEYDEN_INLINE void multiply_panel(const Format& format, const MatmulArgs& args,
                                  const ActivationPanel& panel) {
  if constexpr (kTokens > kFewTokens) {
#if defined(LEYDEN_ISA_amx)
    if (panel.width >= kAmxTokens) return multiply_amx(format, args, panel);
#endif
    multiply_many(format, args, panel);
  } else if (panel.width == kTokens) {
    multiply_few<kTokens>(format, args, panel);
  } else {
    multiply_panel<kTokens + 1>(format, args, panel);
  }
}

template <typename Format>
LEYDEN_INLINE void matmul(const Format& format, MatmulArgs args) {
  const std::byte* const next = args.next;
  for (int p = 0; p < args.n_panels; ++p) {
    args.next = p + 1 < args.n_panels ? args.tiles : next;
    multiply_panel<1>(format, args, args.panels[p]);
    args.out += args.panels[p].width * args.out_stride;
  }
}

}  // namespace

void matmul_int8(const MatmulArgs& args) noexcept { matmul(Int8{}, args); }

void matmul_int4(const MatmulArgs& args) noexcept {
  const Int4 format{load_rows_table(args.levels)};
  if (args.through_l2 && args.n_panels == 1 && args.panels[0].width == 1) {
    multiply_few<1>(Int4ThroughL2{format}, args, args.panels[0]);
  } else {
    matmul(format, args);
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
