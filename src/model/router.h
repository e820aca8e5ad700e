#pragma once

#include <span>

#include "formats/model_config.h"

namespace leyden::model {

struct ExpertChoice {
  int expert = 0;
  float weight = 0;
};

/// Chooses the experts of one token (NUMERICS 5.1 to 5.5).
/// logits: [n_routed_experts], overwritten by the scores; bias: the same length, or null;
/// scratch: twice that length; chosen: [num_experts_per_tok], filled ascending by expert. Equal
/// scores favour the lower expert; NaN loses to every number.
void route(const formats::ModelConfig& config, std::span<float> logits, const float* bias,
           std::span<float> scratch, std::span<ExpertChoice> chosen);

}  // namespace leyden::model
