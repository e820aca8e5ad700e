#include "src/evaluate.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "formats/load_error.h"
#include "formats/model_config.h"
#include "src/model/options.h"
#include "src/session.h"

namespace leyden {
namespace {

using Row = std::span<const float>;

/// log of the sum of exp(logits).
double log_sum_exp(Row logits) {
  const double max = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - max);
  return max + std::log(sum);
}

double kl(Row p_logits, Row q_logits) {
  const double p_norm = log_sum_exp(p_logits), q_norm = log_sum_exp(q_logits);
  double total = 0;
  for (std::size_t i = 0; i < p_logits.size(); ++i) {
    const double log_p = p_logits[i] - p_norm;
    total += std::exp(log_p) * (log_p - (q_logits[i] - q_norm));
  }
  return total;
}

std::uint64_t total_tokens(const Documents& documents) {
  std::uint64_t total = 0;
  for (const auto& document : documents) total += document.size();
  return total;
}

/// A session that gives the logits of a document piece by piece.
class DocumentReader {
 public:
  explicit DocumentReader(const std::shared_ptr<const Engine>& engine)
      : session_(engine), vocab_(static_cast<std::size_t>(engine->config().vocab_size)) {}

  void begin() { session_.truncate(0); }
  /// The logits after each of the next tokens, at most kHeldRows. trace: what was chosen, or null.
  std::vector<Row> read(std::span<const std::int32_t> tokens, model::Trace* trace = nullptr) {
    logits_.resize(tokens.size() * vocab_);
    session_.prefill_traced(tokens, logits_, trace);
    std::vector<Row> rows;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      rows.push_back(Row(logits_).subspan(t * vocab_, vocab_));
    }
    return rows;
  }

 private:
  Session session_;
  std::size_t vocab_;
  std::vector<float> logits_;
};

}  // namespace

std::int32_t best_of(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin());
}

void require_room(std::int64_t context, const Documents& documents, std::size_t unread) {
  for (const auto& document : documents) {
    if (document.size() <= static_cast<std::size_t>(context) + unread) continue;
    throw std::runtime_error("a document of " + std::to_string(document.size()) +
                             " tokens doesn't fit a context of " + std::to_string(context));
  }
}

void require_room(std::int64_t context, const std::vector<Question>& questions) {
  for (const Question& question : questions) {
    // The answer's last token is compared, but never computed.
    const std::size_t n_tokens = question.prompt.size() + question.expected.size() - 1;
    if (n_tokens <= static_cast<std::size_t>(context)) continue;
    throw formats::LoadError(question.origin,
                             "a question of " + std::to_string(n_tokens) +
                                 " tokens with its answer doesn't fit a context of " +
                                 std::to_string(context));
  }
}

void require_same_vocabulary(const formats::ModelConfig& model,
                             const formats::ModelConfig& reference) {
  if (model.vocab_size == reference.vocab_size) return;
  throw std::runtime_error("the models' vocabularies differ: " + std::to_string(model.vocab_size) +
                           " and " + std::to_string(reference.vocab_size) + " tokens");
}

Perplexity perplexity(const std::shared_ptr<const Engine>& engine, const Documents& documents,
                      const EvaluationProgress& progress) {
  require_room(engine->options().context, documents, 1);
  DocumentReader reader(engine);
  const std::uint64_t total = total_tokens(documents);
  std::uint64_t done = 0;
  Perplexity result;
  double loss = 0;
  for (const auto& document : documents) {
    reader.begin();
    for (std::size_t first = 0; first + 1 < document.size(); first += kHeldRows) {
      const std::size_t n = std::min(kHeldRows, document.size() - 1 - first);
      const auto rows = reader.read(std::span(document).subspan(first, n));
      for (std::size_t t = 0; t < n; ++t) {
        const auto next = static_cast<std::size_t>(document[first + t + 1]);
        if (next >= rows[t].size()) throw std::runtime_error("a token is outside the vocabulary");
        loss += log_sum_exp(rows[t]) - rows[t][next];
        ++result.n_tokens;
      }
    }
    done += document.size();
    if (progress) progress(done, total);
  }
  result.value = std::exp(loss / static_cast<double>(std::max<std::uint64_t>(1, result.n_tokens)));
  return result;
}

model::ExpertCounts count_experts(const std::shared_ptr<const Engine>& engine,
                                  const Documents& documents, const EvaluationProgress& progress) {
  const formats::ModelConfig& config = engine->config();
  model::ExpertCounts counts(static_cast<std::size_t>(config.num_hidden_layers));
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (!config.is_moe_layer(layer)) continue;
    counts[static_cast<std::size_t>(layer)].resize(
        static_cast<std::size_t>(config.n_routed_experts));
  }
  require_room(engine->options().context, documents);
  DocumentReader reader(engine);
  const std::uint64_t total = total_tokens(documents);
  std::uint64_t done = 0;
  for (const auto& document : documents) {
    reader.begin();
    for (std::size_t first = 0; first < document.size(); first += kHeldRows) {
      const std::size_t n = std::min(kHeldRows, document.size() - first);
      model::Trace trace;
      reader.read(std::span(document).subspan(first, n), &trace);
      for (std::size_t layer = 0; layer < counts.size(); ++layer) {
        for (const std::vector<std::int32_t>& chosen : trace.layers[layer].experts) {
          for (const std::int32_t expert : chosen) {
            ++counts[layer][static_cast<std::size_t>(expert)];
          }
        }
      }
      if (progress) progress(done += n, total);
    }
  }
  return counts;
}

Divergence divergence(const std::shared_ptr<const Engine>& engine,
                      const std::shared_ptr<const Engine>& reference, const Documents& documents,
                      const EvaluationProgress& progress) {
  require_same_vocabulary(engine->config(), reference->config());
  require_room(engine->options().context, documents);
  require_room(reference->options().context, documents);
  DocumentReader mine(engine), theirs(reference);
  const std::uint64_t total = total_tokens(documents);
  std::uint64_t done = 0, agreed = 0;
  std::vector<double> all;
  double sum = 0;
  for (const auto& document : documents) {
    mine.begin();
    theirs.begin();
    for (std::size_t first = 0; first < document.size(); first += kHeldRows) {
      const std::size_t n = std::min(kHeldRows, document.size() - first);
      const auto tokens = std::span(document).subspan(first, n);
      const auto p = theirs.read(tokens);
      const auto q = mine.read(tokens);
      for (std::size_t t = 0; t < n; ++t) {
        sum += all.emplace_back(kl(p[t], q[t]));
        agreed += best_of(p[t]) == best_of(q[t]) ? 1 : 0;
      }
    }
    done += document.size();
    if (progress) progress(done, total);
  }
  Divergence result;
  result.n_positions = all.size();
  if (all.empty()) return result;
  const auto n = static_cast<double>(all.size());
  const auto p99 = all.begin() + static_cast<std::ptrdiff_t>(std::floor(0.99 * (n - 1)));
  std::nth_element(all.begin(), p99, all.end());
  result.kl_mean = sum / n;
  result.kl_p99 = *p99;
  result.top1_agreement = static_cast<double>(agreed) / n;
  return result;
}

std::map<std::string, Score> answer(const std::shared_ptr<const Engine>& engine,
                                    const std::vector<Question>& questions,
                                    const EvaluationProgress& progress) {
  require_room(engine->options().context, questions);
  Session session(engine);
  const auto vocab = static_cast<std::size_t>(engine->config().vocab_size);
  std::uint64_t total = 0, done = 0;
  for (const Question& q : questions) total += q.prompt.size();
  std::map<std::string, Score> scores;
  for (const Question& q : questions) {
    Score& score = scores[q.kind];
    ++score.asked;
    done += q.prompt.size();
    session.truncate(0);
    session.prefill(q.prompt);
    // Greedy decoding gives the expected answer exactly if, fed with it, the model would choose
    // each of its tokens next; so all of it can be checked at once.
    bool right = best_of(session.logits()) == q.expected.front();
    const auto fed = std::span(q.expected).first(q.expected.size() - 1);
    std::vector<float> logits(fed.size() * vocab);
    if (right && !fed.empty()) session.prefill_traced(fed, logits, nullptr);
    for (std::size_t t = 0; right && t < fed.size(); ++t) {
      right = best_of(Row(logits).subspan(t * vocab, vocab)) == q.expected[t + 1];
    }
    score.right += right ? 1 : 0;
    if (progress) progress(done, total);
  }
  return scores;
}

}  // namespace leyden
