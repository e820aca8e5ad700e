#include "src/text/penalties.h"

#include <cstddef>

namespace leyden::text {

void PenaltyHistory::accept(TokenId token) {
  ++counts_[token];
  if (window_ == 0) return;
  recent_.push_back(token);
  if (recent_.size() <= static_cast<std::size_t>(window_)) return;
  const auto oldest = counts_.find(recent_.front());
  if (--oldest->second == 0) counts_.erase(oldest);
  recent_.pop_front();
}

void PenaltyHistory::clear() {
  counts_.clear();
  recent_.clear();
}

void PenaltyHistory::apply(const SamplerOptions& options, std::span<float> logits) const {
  if (options.repeat_penalty == 1 && options.frequency_penalty == 0 &&
      options.presence_penalty == 0) {
    return;
  }
  for (const auto& [token, count] : counts_) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) continue;
    float& logit = logits[token];
    logit = logit > 0 ? logit / options.repeat_penalty : logit * options.repeat_penalty;
    logit -= static_cast<float>(count) * options.frequency_penalty + options.presence_penalty;
  }
}

}  // namespace leyden::text
