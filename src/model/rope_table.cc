#include "src/model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace leyden::model {
namespace {

double yarn_mscale(double factor, double mscale) {
  return factor > 1 ? 0.1 * mscale * std::log(factor) + 1.0 : 1.0;
}

/// How far each pair is interpolated: 0 keeps its frequency, 1 divides it by the factor.
std::vector<float> interpolation(const formats::ModelConfig& config) {
  const formats::YarnScaling& yarn = *config.rope_scaling;
  const int dim = config.qk_rope_head_dim;
  // The (fractional) pair that turns `rotations` times over the original length.
  const auto pair_turning = [&](double rotations) {
    return dim *
           std::log(yarn.original_max_position_embeddings / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(config.rope_theta));
  };
  const double low = std::max(std::floor(pair_turning(yarn.beta_fast)), 0.0);
  const double high = std::min(std::ceil(pair_turning(yarn.beta_slow)), dim - 1.0);
  const auto span = static_cast<float>(high != low ? high - low : 0.001);
  std::vector<float> g(static_cast<std::size_t>(dim / 2));
  for (std::size_t i = 0; i < g.size(); ++i) {
    g[i] = std::clamp((static_cast<float>(i) - static_cast<float>(low)) / span, 0.0f, 1.0f);
  }
  return g;
}

}  // namespace

RopeTable::RopeTable(const formats::ModelConfig& config)
    : frequency_(static_cast<std::size_t>(config.qk_rope_head_dim / 2)) {
  const auto dim = static_cast<float>(config.qk_rope_head_dim);
  for (std::size_t i = 0; i < frequency_.size(); ++i) {
    const float step = static_cast<float>(2 * i) / dim;
    frequency_[i] = 1.0f / std::pow(static_cast<float>(config.rope_theta), step);
  }
  if (!config.rope_scaling) return;

  const formats::YarnScaling& yarn = *config.rope_scaling;
  const auto factor = static_cast<float>(yarn.factor);
  const std::vector<float> g = interpolation(config);
  for (std::size_t i = 0; i < frequency_.size(); ++i) {
    frequency_[i] = frequency_[i] / factor * g[i] + frequency_[i] * (1.0f - g[i]);
  }
  scale_ = static_cast<float>(yarn_mscale(yarn.factor, yarn.mscale) /
                              yarn_mscale(yarn.factor, yarn.mscale_all_dim));
}

void RopeTable::angles(std::int32_t position, float* cos, float* sin) const {
  for (std::size_t i = 0; i < frequency_.size(); ++i) {
    const double angle = static_cast<float>(position) * frequency_[i];
    cos[i] = static_cast<float>(std::cos(angle)) * scale_;
    sin[i] = static_cast<float>(std::sin(angle)) * scale_;
  }
}

float softmax_scale(const formats::ModelConfig& config) {
  double scale = 1.0 / std::sqrt(static_cast<double>(config.qk_head_dim()));
  if (config.rope_scaling && config.rope_scaling->mscale_all_dim != 0) {
    const double m = yarn_mscale(config.rope_scaling->factor, config.rope_scaling->mscale_all_dim);
    scale *= m * m;
  }
  return static_cast<float>(scale);
}

}  // namespace leyden::model
