#pragma once

#include <array>

#include "quant/group_codes.h"
#include "quant/levels.h"

namespace leyden::quant {

/// The 16 levels as floats and the 15 borders halfway between neighbours.
struct LevelSteps {
  explicit LevelSteps(const Levels& levels);
  std::array<float, simd::kInt4Levels> level;
  std::array<float, simd::kInt4Levels - 1> border;
};

/// Scale and codes of one group of 32 weights x that make
///   sum_k importance[k] * (x[k] - scale * level[code[k]])^2
/// small. For fixed codes the best scale is sum(i x l) / sum(i l^2), and it leaves the error
/// sum(i x^2) - sum(i x l)^2 / sum(i l^2); so trial scales of both signs are compared by that
/// quotient, the winner is improved by alternating codes and scale, rounded to fp16, and the codes
/// are chosen once more for the rounded scale.
/// Columns of importance 0 don't count. |x| is at most 60000.
GroupCodes fit_int4(const std::array<float, simd::kGroup>& x,
                    const std::array<float, simd::kGroup>& importance, const LevelSteps& steps);

}  // namespace leyden::quant
