#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>

#include "src/text/sampler_options.h"
#include "src/text/token.h"

namespace leyden::text {

/// The tokens so far, as repetition, frequency and presence penalties see them.
class PenaltyHistory {
 public:
  /// window: how many of the last tokens count; 0: all.
  explicit PenaltyHistory(std::int32_t window) : window_(window) {}

  void accept(TokenId token);
  void clear();

  /// For every token that occurs n > 0 times within the window:
  ///   logit > 0: logit /= repeat_penalty, else logit *= repeat_penalty  (Keskar et al. 2019)
  ///   logit -= n * frequency_penalty + presence_penalty                 (OpenAI)
  void apply(const SamplerOptions& options, std::span<float> logits) const;

 private:
  std::int32_t window_;
  std::unordered_map<TokenId, std::int32_t> counts_;
  std::deque<TokenId> recent_;  // at most window_; unused if all tokens count
};

}  // namespace leyden::text
