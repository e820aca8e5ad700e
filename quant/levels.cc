#include "quant/levels.h"

namespace leyden::quant {

const Levels kGaussianLevels = {1, 16, 26, 34, 41, 47, 53, 58, 64, 69, 75, 81, 88, 95, 104, 116};

const Levels kEvenLevels = {56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71};

simd::Int4Levels search_form(const std::array<double, simd::kInt4Levels>& levels) {
  simd::Int4Levels form = {};
  for (std::size_t i = 0; i < levels.size(); ++i) form.level[i] = static_cast<float>(levels[i]);
  for (int step = 0; step < 4; ++step) {
    const int span = 16 >> step;  // levels that the bits found before leave possible
    for (int path = 0; path < 1 << step; ++path) {
      const float* const upper = form.level + path * span + span / 2;
      form.border[step][path] = (upper[-1] + upper[0]) * 0.5f;
    }
  }
  return form;
}

simd::Int4Levels search_form(const Levels& levels) {
  std::array<double, simd::kInt4Levels> values;
  for (std::size_t i = 0; i < levels.size(); ++i) values[i] = levels[i] - simd::kInt4Offset;
  return search_form(values);
}

}  // namespace leyden::quant
