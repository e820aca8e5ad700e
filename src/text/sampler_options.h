#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "src/text/token.h"

namespace leyden::text {

/// How the next token is chosen. The defaults draw from the model's own distribution.
struct SamplerOptions {
  float temperature = 1.0f;  // 0: always the most probable token
  std::int32_t top_k = 0;    // keep the k most probable; 0: all
  float top_p = 1.0f;        // keep the fewest that have this probability together; 1: all
  float min_p = 0.0f;        // keep those with this share of the best one's probability; 0: all
  float typical_p = 1.0f;    // keep the most typical that have this probability together; 1: all

  float repeat_penalty = 1.0f;      // divides positive and multiplies negative logits; 1: none
  float frequency_penalty = 0.0f;   // subtracted per occurrence
  float presence_penalty = 0.0f;    // subtracted once
  std::int32_t penalty_window = 0;  // last accepted tokens that the penalties see; 0: all

  // Added to a token's logit, finite; -100 all but forbids it.
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  std::uint64_t seed = 0;
};

/// Throws std::invalid_argument naming the option that has no meaning, its value and its range.
void check(const SamplerOptions& options);

}  // namespace leyden::text
