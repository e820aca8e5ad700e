#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/engine.h"
#include "src/model/expert_counts.h"

namespace leyden {

/// The token with the highest logit: the greedy choice.
std::int32_t best_of(std::span<const float> logits);

/// Texts as token ids; each begins with the model's begin token and stands alone.
using Documents = std::vector<std::vector<std::int32_t>>;

/// Tokens done and in all.
using EvaluationProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Tokens whose logits are held at a time, where those of all tokens are wanted.
inline constexpr std::size_t kHeldRows = 128;

/// Errors: std::runtime_error if a document without its last `unread` tokens is longer than a
/// context of so many tokens. What measures documents begins with this, and it can be asked before
/// a model is loaded.
void require_room(std::int64_t context, const Documents& documents, std::size_t unread = 0);

struct Perplexity {
  double value = 0;            // exp of the mean negative log likelihood
  std::uint64_t n_tokens = 0;  // scored: every token of a document but its first
};
Perplexity perplexity(const std::shared_ptr<const Engine>& engine, const Documents& documents,
                      const EvaluationProgress& progress = {});

/// How far a model is from a reference on the same documents: KL(reference || model) over the
/// vocabulary, position by position, and how often both would pick the same token.
struct Divergence {
  double kl_mean = 0, kl_p99 = 0, top1_agreement = 0;
  std::uint64_t n_positions = 0;
};
/// Errors: std::runtime_error if the vocabularies differ.
void require_same_vocabulary(const formats::ModelConfig& model,
                             const formats::ModelConfig& reference);
/// Errors: require_same_vocabulary()'s.
Divergence divergence(const std::shared_ptr<const Engine>& engine,
                      const std::shared_ptr<const Engine>& reference, const Documents& documents,
                      const EvaluationProgress& progress = {});

/// How often each expert of each layer is chosen for the tokens of the documents: what
/// `--numa whole` balances nodes by.
model::ExpertCounts count_experts(const std::shared_ptr<const Engine>& engine,
                                  const Documents& documents,
                                  const EvaluationProgress& progress = {});

/// A prompt and the only answer that counts as right, end token included; neither is empty.
struct Question {
  std::string origin;  // where it was read, for messages
  std::string kind;
  std::vector<std::int32_t> prompt, expected;
};
struct Score {
  int right = 0, asked = 0;
};
/// Errors: formats::LoadError if one doesn't fit a context of so many tokens.
void require_room(std::int64_t context, const std::vector<Question>& questions);
/// Right answers of greedy decoding, by kind. Errors: require_room()'s, before the first is asked.
std::map<std::string, Score> answer(const std::shared_ptr<const Engine>& engine,
                                    const std::vector<Question>& questions,
                                    const EvaluationProgress& progress = {});

}  // namespace leyden
