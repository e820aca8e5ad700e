#include "simd/matmul_few.h"
#if defined(LEYDEN_ISA_amx)
#include "simd/matmul_amx.h"
#else
#include "simd/matmul_many.h"
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
    multiply_amx(format, args, panel);
#else
    multiply_many(format, args, panel);
#endif
  } else if (panel.width == kTokens) {
    if constexpr (kTokens <= Format::kHastyTokens) {
      if (args.lead == Lead::kFarL2) {
        return multiply_few<kTokens>(FarThroughL2<Format>{format}, args, panel, 0);
      }
    }
    int tile = 0;
    if constexpr (kTokens <= kMostTokensInTwoRuns) {
      if (args.lead == Lead::kTwoRuns) tile = multiply_in_two_runs<kTokens>(format, args, panel);
    }
    multiply_few<kTokens>(format, args, panel, tile);
  } else {
    multiply_panel<kTokens + 1>(format, args, panel);
  }
}

template <typename Format>
LEYDEN_INLINE void matmul(const Format& format, MatmulArgs args) {
  const std::byte* const next = args.next;
  const ActivationPanel* const next_panel = args.next_panel;
  for (int p = 0; p < args.n_panels; ++p) {
    const bool is_last = p + 1 == args.n_panels;
    args.next = is_last ? next : args.tiles;
    args.next_panel = is_last ? next_panel : &args.panels[p + 1];
    multiply_panel<1>(format, args, args.panels[p]);
    args.out += args.panels[p].width * args.out_stride;
  }
}

}  // namespace

void matmul_int8(const MatmulArgs& args) noexcept { matmul(Int8{}, args); }

void matmul_int4(const MatmulArgs& args) noexcept {
  matmul(Int4{load_rows_table(args.levels)}, args);
}

}  // namespace leyden::simd::LEYDEN_ISA
