#include "src/text/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace leyden::text {

namespace {

constexpr float kLargest = std::numeric_limits<float>::max();

SamplerOptions checked(SamplerOptions options) {
  check(options);
  return options;
}

// Divides by the temperature, in double and below the highest logit, so that no temperature however
// small overflows where it matters.
void apply_temperature(double temperature, std::vector<Candidate>& candidates) {
  double highest = -kLargest;
  for (const Candidate& candidate : candidates) highest = std::max(highest, candidate.logit);
  for (Candidate& candidate : candidates) {
    candidate.logit = (candidate.logit - highest) / temperature;
  }
}

}  // namespace

Sampler::Sampler(SamplerOptions options, std::vector<bool> allowed)
    : options_(checked(std::move(options))),
      allowed_(std::move(allowed)),
      history_(options_.penalty_window),
      random_(options_.seed) {}

const std::vector<Candidate>& Sampler::candidates(std::span<const float> logits) {
  logits_.assign(logits.begin(), logits.end());
  for (const auto& [token, bias] : options_.logit_bias) {
    if (static_cast<std::size_t>(token) < logits_.size()) logits_[token] += bias;
  }
  history_.apply(options_, logits_);

  candidates_.clear();
  for (std::size_t id = 0; id < logits_.size(); ++id) {
    if (!(logits_[id] >= -kLargest) || !may_choose(id)) continue;  // NaN too
    candidates_.push_back({static_cast<TokenId>(id), std::min(logits_[id], kLargest), 0});
  }
  if (candidates_.empty()) {
    std::size_t id = 0;
    while (id + 1 < logits_.size() && !may_choose(id)) ++id;
    candidates_.push_back({static_cast<TokenId>(id), 0, 0});
  }

  const bool greedy = options_.temperature == 0;
  if (greedy) {
    keep_top_k(1, candidates_);
  } else {
    apply_temperature(options_.temperature, candidates_);
    if (options_.top_k > 0) keep_top_k(options_.top_k, candidates_);
  }
  normalize(candidates_);
  if (options_.top_p < 1) keep_top_p(options_.top_p, candidates_);
  if (options_.min_p > 0) keep_min_p(options_.min_p, candidates_);
  if (options_.typical_p < 1) keep_typical(options_.typical_p, candidates_);
  return candidates_;
}

TokenId Sampler::sample(std::span<const float> logits) {
  candidates(logits);
  if (options_.temperature == 0) return candidates_[0].token;
  const double drawn = random_.next();  // one per token, so that draws() counts tokens
  double mass = 0;
  for (const Candidate& candidate : candidates_) {
    mass += candidate.probability;
    if (drawn < mass) return candidate.token;
  }
  // Rounding left the sum a little below 1 and the draw above it: the last possible one.
  const auto last = std::find_if(candidates_.rbegin(), candidates_.rend(),
                                 [](const Candidate& c) { return c.probability > 0; });
  return last == candidates_.rend() ? candidates_[0].token : last->token;
}

std::vector<bool> tokens_of(const Tokenizer& tokenizer, std::int32_t vocab_size) {
  std::vector<bool> allowed(static_cast<std::size_t>(std::max(0, vocab_size)));
  for (std::size_t id = 0; id < allowed.size(); ++id) {
    allowed[id] = tokenizer.has_token(static_cast<TokenId>(id));
  }
  return allowed;
}

}  // namespace leyden::text
