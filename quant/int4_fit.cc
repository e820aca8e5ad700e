#include "quant/int4_fit.h"

#include <algorithm>
#include <cmath>

#include "quant/number.h"

namespace leyden::quant {
namespace {

constexpr int kTrials = 12;      // per sign
constexpr float kFirst = 0.70f;  // the largest weight meets this share of the longest arm,
constexpr float kStep = 0.06f;   // then kStep more each trial
constexpr int kRefinements = 3;

struct Fit {
  float xl = 0, ll = 0;  // sum(i x l), sum(i l^2)
  float quotient() const { return ll > 0 ? xl * xl / ll : 0; }
  float scale() const { return ll > 0 ? xl / ll : 0; }
};

int nearest(float t, const LevelSteps& steps) {
  int code = 0;
  for (const float border : steps.border) code += t > border;
  return code;
}

using Group = std::array<float, simd::kGroup>;

Fit fit(const Group& x, const Group& importance, const LevelSteps& steps, float inverse_scale) {
  Fit f;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const float level = steps.level[static_cast<std::size_t>(nearest(x[k] * inverse_scale, steps))];
    const float weighted = importance[k] * level;
    f.xl = std::fma(weighted, x[k], f.xl);
    f.ll = std::fma(weighted, level, f.ll);
  }
  return f;
}

}  // namespace

LevelSteps::LevelSteps(const Levels& levels) {
  for (std::size_t i = 0; i < level.size(); ++i) {
    level[i] = static_cast<float>(levels[i] - simd::kInt4Offset);
  }
  for (std::size_t i = 0; i < border.size(); ++i) border[i] = (level[i] + level[i + 1]) * 0.5f;
}

GroupCodes fit_int4(const Group& x, const Group& importance, const LevelSteps& steps) {
  GroupCodes codes;
  float largest = 0;
  for (const float v : x) largest = std::max(largest, std::abs(v));
  float scale = 0;
  if (largest >= 0x1p-24f) {
    const float arm = std::max(-steps.level.front(), steps.level.back());
    Fit best;
    for (int trial = 0; trial < 2 * kTrials; ++trial) {
      const float share = kFirst + kStep * static_cast<float>(trial / 2);
      const float inverse_scale = share * arm / largest;
      const Fit f = fit(x, importance, steps, trial % 2 == 0 ? inverse_scale : -inverse_scale);
      if (f.quotient() > best.quotient()) best = f;
    }
    for (int i = 0; i < kRefinements; ++i) {
      const Fit f = fit(x, importance, steps, 1.0f / best.scale());
      if (f.quotient() > best.quotient()) best = f;
    }
    codes.scale = f32_to_fp16(best.scale());
    scale = fp16_to_f32(codes.scale);
  }
  for (std::size_t k = 0; k < x.size(); ++k) {
    codes.code[k] = static_cast<std::uint8_t>(nearest(scale == 0 ? 0 : x[k] / scale, steps));
  }
  return codes;
}

}  // namespace leyden::quant
