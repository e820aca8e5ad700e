#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/text/penalties.h"
#include "src/text/random.h"
#include "src/text/sampler_options.h"
#include "src/text/token.h"
#include "src/text/token_filters.h"
#include "src/text/tokenizer.h"

namespace leyden::text {

/// Chooses the next token from logits, in this order (that of Hugging Face's generate):
/// logit bias, penalties, temperature, top-k, top-p, min-p, typical, draw.
/// The same logits, options, accepted tokens and count of draws give the same token everywhere.
class Sampler {
 public:
  /// allowed: [vocab_size], which ids may be chosen; empty: all (see tokens_of).
  /// Errors: std::invalid_argument for options that check() refuses.
  explicit Sampler(SamplerOptions options, std::vector<bool> allowed = {});

  /// The next token. logits: [vocab_size], at least one. NaN counts as minus infinity; if no
  /// allowed token has a finite logit, the lowest allowed id is chosen. Does not accept() it.
  TokenId sample(std::span<const float> logits);

  /// The tokens among which sample() would draw, with their probabilities (sum 1); one if greedy.
  const std::vector<Candidate>& candidates(std::span<const float> logits);

  /// Tells the penalties that `token` is now part of the text, whoever wrote it.
  void accept(TokenId token) { history_.accept(token); }
  void clear_history() { history_.clear(); }

  /// Random numbers used so far, to be kept with a conversation and set when it is resumed.
  std::uint64_t draws() const { return random_.count(); }
  void set_draws(std::uint64_t count) { random_.set_count(count); }

  const SamplerOptions& options() const { return options_; }

 private:
  bool may_choose(std::size_t id) const { return id >= allowed_.size() || allowed_[id]; }

  SamplerOptions options_;
  std::vector<bool> allowed_;
  PenaltyHistory history_;
  CountedRandom random_;
  std::vector<float> logits_;          // working copy
  std::vector<Candidate> candidates_;  // of the last call
};

/// Which of the model's `vocab_size` ids are tokens: rows of lm_head beyond the vocabulary exist
/// for alignment only and must never be chosen.
std::vector<bool> tokens_of(const Tokenizer& tokenizer, std::int32_t vocab_size);

}  // namespace leyden::text
