#include "src/model/forward.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

/// What several matrices read together; absent ones read nothing.
class Needs {
 public:
  Needs& operator<<(const PlacedMatrix& m) {
    sum_ = sum_ | needs_of(m);
    return *this;
  }
  Needs& operator<<(const PlacedStack& m) { return *this << m[0]; }
  template <typename Matrix>
  Needs& operator<<(const std::optional<Matrix>& m) {
    return m ? *this << *m : *this;
  }
  ActivationNeeds sum() const { return sum_; }

 private:
  ActivationNeeds sum_;
};

/// Of a layer's input, the residual stream after a norm.
ActivationNeeds needs_of_input(const ModelWeights& weights) {
  Needs needs;
  needs << weights.head;
  for (const LayerWeights& w : weights.layers) {
    needs << w.attention.q_a << w.attention.kv_a;
    if (!w.attention.q_a) needs << w.attention.q_b;
    if (w.indexer) needs << w.indexer->q_b << w.indexer->k << w.indexer->head_weights;
    if (w.mlp) needs << w.mlp->gate << w.mlp->up;
    if (!w.moe) continue;
    needs << w.moe->router << w.moe->gate << w.moe->up;
    if (w.moe->shared) needs << w.moe->shared->gate << w.moe->shared->up;
  }
  return needs.sum();
}

/// Of what attention computes on the way.
ActivationNeeds needs_of_attention(const ModelWeights& weights) {
  Needs needs;
  for (const LayerWeights& w : weights.layers) {
    const AttentionWeights& a = w.attention;
    needs << a.q_b << a.k_b << a.k_b_absorbed << a.v_b << a.o;
    if (w.indexer) needs << w.indexer->q_b;
  }
  return needs.sum();
}

/// Of the MLPs: their inputs, gathered by expert, and their hidden rows.
ActivationNeeds needs_of_ffn(const ModelWeights& weights) {
  Needs needs;
  for (const LayerWeights& w : weights.layers) {
    if (w.mlp) needs << w.mlp->gate << w.mlp->up << w.mlp->down;
    if (!w.moe) continue;
    needs << w.moe->gate << w.moe->up << w.moe->down;
    if (w.moe->shared) needs << w.moe->shared->gate << w.moe->shared->up << w.moe->shared->down;
  }
  return needs.sum();
}

/// Whether the experts of some layer lie on different nodes, each on one.
bool has_whole_experts(const ModelWeights& weights) {
  return std::ranges::any_of(weights.layers, [](const LayerWeights& w) {
    if (!w.moe || w.moe->down[0].parts.size() > 1) return false;
    const int first = w.moe->down[0].node_of(0);
    return std::ranges::any_of(w.moe->down.parts,
                               [&](const MatrixPart& part) { return part.node != first; });
  });
}

}  // namespace

Forward::Forward(const formats::ModelConfig& config, const ModelWeights& weights,
                 const Attention::Settings& settings, int chunk, runtime::ThreadTeam& team)
    : Forward(config, weights, settings, chunk, team.crew(), &team) {}

std::size_t Forward::buffer_bytes(const formats::ModelConfig& config, const ModelWeights& weights,
                                  const Attention::Settings& settings, int chunk,
                                  const runtime::Crew& crew) {
  const runtime::MemoryTally tally;
  const Forward forward(config, weights, settings, chunk, crew, nullptr);
  return tally.bytes();
}

Forward::Forward(const formats::ModelConfig& config, const ModelWeights& weights,
                 const Attention::Settings& settings, int chunk, const runtime::Crew& crew,
                 runtime::ThreadTeam* team)
    : c_(config),
      w_(weights),
      team_(team),
      chunk_(chunk),
      attention_(config, settings, chunk, crew, needs_of_attention(weights)),
      ffn_(config, chunk, crew, needs_of_ffn(weights), has_whole_experts(weights)) {
  const std::size_t tokens = index(chunk), hidden = index(config.hidden_size);
  x_ = runtime::Array<float>(tokens * hidden);
  normed_ = runtime::Array<float>(tokens * hidden);
  in_ = Panels(crew, chunk, std::int64_t{chunk} * blocks_of(config.hidden_size),
               needs_of_input(weights));
  router_logits_ = runtime::Array<float>(tokens * index(config.n_routed_experts));
  router_scratch_ = runtime::Array<float>(index(crew.size()) * 2 * index(config.n_routed_experts));
  choices_.resize(tokens * index(config.num_experts_per_tok));
  scratch_ = runtime::Scratch(crew, simd::kMatmulScratchBytes);
}

bool Forward::run(std::span<const std::int32_t> tokens, std::int32_t first_position,
                  const KvCache& cache, int n_logits, float* logits, Trace* trace, Profile& profile,
                  const LayerProgress& progress) {
  const auto n = static_cast<int>(tokens.size());
  if (trace != nullptr) trace->layers.resize(w_.layers.size());
  embed(tokens);
  attention_.begin_chunk(first_position, n);
  for (std::size_t layer = 0; layer < w_.layers.size(); ++layer) {
    if (layer > 0 && progress && !progress(layer)) return false;
    const LayerWeights& w = w_.layers[layer];
    LayerTrace* const layer_trace = trace != nullptr ? &trace->layers[layer] : nullptr;
    profile.enter(Part::kRest, Step::kNormalize);
    normalize(w.attn_norm, 0, n);
    attention_.run(*team_, static_cast<int>(layer), w, cache, in_, x_.data(), layer_trace, profile);
    profile.enter(Part::kRest, Step::kNormalize);
    normalize(w.ffn_norm, 0, n);
    profile.enter(w.mlp ? Part::kDense : Part::kExperts, Step::kProducts);
    feed_forward(w, n, layer_trace, profile);
  }
  profile.enter(Part::kHead, Step::kProducts);
  if (n_logits > 0) compute_logits(n - n_logits, n_logits, logits);
  profile.enter(Part::kRest, Step::kOther);
  return true;
}

void Forward::compute_logits(int first_token, int n_logits, float* logits) {
  normalize(w_.final_norm, first_token, n_logits);
  const Linear head = {w_.head, {&in_}, logits, c_.vocab_size};
  multiply(*team_, scratch_, {&head, 1});
}

void Forward::embed(std::span<const std::int32_t> tokens) {
  team_->run(static_cast<int>(tokens.size()), [&](int t, int) {
    const std::byte* const row = w_.embed.row(tokens[index(t)]);
    float* const x = x_.data() + std::ptrdiff_t{t} * c_.hidden_size;
    if (w_.embed.format == quant::WeightFormat::kBf16) {
      simd::kernels().widen_bf16(reinterpret_cast<const std::uint16_t*>(row), c_.hidden_size, x);
    } else {
      std::memcpy(x, row, index(c_.hidden_size) * sizeof(float));
    }
  });
}

/// in_ = RMSNorm of the residual rows of tokens [first_token, first_token + n_tokens).
void Forward::normalize(const float* weight, int first_token, int n_tokens) {
  in_.reset(n_tokens, c_.hidden_size);
  team_->run(n_tokens, [&](int t, int) {
    float* const row = normed_.data() + std::ptrdiff_t{t} * c_.hidden_size;
    simd::kernels().rms_norm(x_.data() + std::ptrdiff_t{first_token + t} * c_.hidden_size, weight,
                             c_.hidden_size, static_cast<float>(c_.rms_norm_eps), row);
    in_.set_row(t, row);
  });
}

void Forward::feed_forward(const LayerWeights& w, int n_tokens, LayerTrace* trace,
                           Profile& profile) {
  if (w.mlp) {
    ffn_.run_dense(*team_, *w.mlp, in_, n_tokens, x_.data());
    if (trace != nullptr) trace->experts.resize(trace->experts.size() + index(n_tokens));
    return;
  }
  choose_experts(*w.moe, n_tokens, trace, profile);
  profile.enter(Step::kProducts);
  const std::size_t n_choices = index(n_tokens) * index(c_.num_experts_per_tok);
  ffn_.run_moe(*team_, *w.moe, in_, n_tokens, std::span(choices_).first(n_choices), x_.data());
}

void Forward::choose_experts(const MoeWeights& w, int n_tokens, LayerTrace* trace,
                             Profile& profile) {
  const std::size_t n_experts = index(c_.n_routed_experts);
  const std::size_t n_chosen = index(c_.num_experts_per_tok);
  const Linear router = {w.router, {&in_}, router_logits_.data(), c_.n_routed_experts};
  multiply(*team_, scratch_, {&router, 1});
  profile.enter(Step::kRoute);
  team_->run(n_tokens, [&](int t, int worker) {
    route(c_, {router_logits_.data() + index(t) * n_experts, n_experts}, w.router_bias,
          {router_scratch_.data() + index(worker) * 2 * n_experts, 2 * n_experts},
          std::span(choices_).subspan(index(t) * n_chosen, n_chosen));
  });
  if (trace == nullptr) return;
  for (int t = 0; t < n_tokens; ++t) {
    auto& chosen = trace->experts.emplace_back();
    for (const ExpertChoice& c : std::span(choices_).subspan(index(t) * n_chosen, n_chosen)) {
      chosen.push_back(c.expert);
    }
  }
}

}  // namespace leyden::model
