#pragma once

#include "simd/matmul_blocks.h"

// What an integer product with many tokens asks for while it multiplies: a step, in which all
// tokens meet the same weights, asks for its share of lines. For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Steps of a block, in each of which all tokens meet kRows rows of Form::kGroups groups.
template <typename Form>
constexpr int kSteps = kHalves* kGroupsPerBlock / Form::kGroups;

/// Lines that one step asks for, for the cache that kCache says.
template <_mm_hint kCache>
struct Lines {
  const std::byte* next;
  const std::byte* end;

  /// The share of one of n_steps in n lines.
  LEYDEN_INLINE Lines of_step(const void* lines, int n, int step, int n_steps) {
    const auto* first = static_cast<const std::byte*>(lines);
    return {first + step * n / n_steps * kLine, first + (step + 1) * n / n_steps * kLine};
  }
  [[gnu::always_inline]] void ask(int n) {
    for (; n > 0 && next < end; --n, next += kLine) {
      _mm_prefetch(reinterpret_cast<const char*>(next), kCache);
    }
  }
  [[gnu::always_inline]] void ask_rest() { ask(static_cast<int>((end - next) / kLine)); }
};

/// The cells of the panel that is multiplied next. They are asked for during the last tiles, when
/// this panel's are used for the last time, and take their places in the second-level cache.
struct CellsAhead {
  static constexpr int kLinesPerCell = kBlock / kLine;
  Cell cell = {};
  int width = 0;
  int lines_at_once = 0;

  template <typename Form, typename Format>
  LEYDEN_INLINE CellsAhead of(const ActivationPanel* next, const ActivationPanel& panel) {
    if (next == nullptr || next->q == panel.q) return {};
    const int times = panel.width / Form::kTokens * kSteps<Form>;
    return {{next->q, Format::starts(*next), next->scale},
            next->width,
            (next->width * kLinesPerCell + times - 1) / times};
  }
  /// What isn't worth a place in every step.
  [[gnu::always_inline]] void ask_for_scales() const {
    constexpr int kPerLine = kLine / static_cast<int>(sizeof(float));
    for (int i = 0; i < width; i += kPerLine / kGroupsPerBlock) {
      _mm_prefetch(reinterpret_cast<const char*>(cell.starts + i * kGroupsPerBlock), _MM_HINT_T1);
    }
    for (int i = 0; i < width; i += kPerLine) {
      _mm_prefetch(reinterpret_cast<const char*>(cell.scale + i), _MM_HINT_T1);
    }
  }
};

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
