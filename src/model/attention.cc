#include "src/model/attention.h"

#include <algorithm>
#include <array>

#include "src/model/mla_choice.h"
#include "src/runtime/index.h"

namespace leyden::model {

Attention::Attention(const formats::ModelConfig& config, const Settings& settings, int max_tokens,
                     const runtime::Crew& crew, ActivationNeeds needs)
    : c_(config),
      settings_(settings),
      rope_(config),
      softmax_scale_(softmax_scale(config)),
      sparse_(config.has_indexer() && settings.attention != AttentionMode::kDense) {
  const std::size_t tokens = index(max_tokens);
  const std::size_t heads = index(config.num_attention_heads);
  cos_ = runtime::Array<float>(tokens * index(rope_.n_pairs()));
  sin_ = runtime::Array<float>(tokens * index(rope_.n_pairs()));
  if (config.q_lora_rank > 0) {
    q_a_ = runtime::Array<float>(tokens * index(config.q_lora_rank));
    q_in_ =
        Panels(crew, max_tokens, std::int64_t{max_tokens} * blocks_of(config.q_lora_rank), needs);
  }
  q_ = runtime::Array<float>(tokens * heads * index(config.qk_head_dim()));
  kv_a_ = runtime::Array<float>(tokens * index(config.kv_lora_rank + config.qk_rope_head_dim));
  mixed_ = runtime::Array<float>(tokens * heads * index(config.v_head_dim));
  out_ = runtime::Array<float>(tokens * index(config.hidden_size));
  const int mixed_cols = config.num_attention_heads * config.v_head_dim;
  o_in_ = Panels(crew, max_tokens, std::int64_t{max_tokens} * blocks_of(mixed_cols), needs);
  scratch_ = runtime::Scratch(crew, simd::kMatmulScratchBytes);
  if (config.has_indexer()) {
    const std::size_t index_heads = index(config.index_n_heads);
    index_q_ = runtime::Array<float>(tokens * index_heads * index(config.index_head_dim));
    index_k_ = runtime::Array<float>(tokens * index(config.index_head_dim));
    index_weights_ = runtime::Array<float>(tokens * index_heads);
    indexer_ = Indexer(config, settings.cache.index, max_tokens, crew);
  }
  latent_ = LatentAttention(config, settings.cache.kv, max_tokens, crew, needs);
  if (settings.mla != MlaMode::kAbsorb) {
    dense_ = DenseAttention(config, settings.cache.kv, max_tokens, crew, needs);
  }
}

void Attention::begin_chunk(std::int32_t first_position, int n_tokens) {
  first_position_ = first_position;
  n_tokens_ = n_tokens;
  const std::size_t pairs = index(rope_.n_pairs());
  for (int t = 0; t < n_tokens; ++t) {
    rope_.angles(first_position + t, cos_.data() + index(t) * pairs,
                 sin_.data() + index(t) * pairs);
  }
}

Angles Attention::angles(int t) const {
  const std::size_t at = index(t) * index(rope_.n_pairs());
  return {cos_.data() + at, sin_.data() + at};
}

/// All products of the layer's input and of the query latent (NUMERICS 4.1, 6.2, 6.3, 6.5). Index
/// keys are for later tokens, too; index queries only for a chunk that has to select.
void Attention::project(runtime::ThreadTeam& team, const LayerWeights& w, const Panels& in,
                        bool index_queries, Profile& profile) {
  const AttentionWeights& a = w.attention;
  std::array<Linear, 5> products;
  std::size_t n = 0;
  const auto add = [&](const PlacedMatrix& m, const Panels& from, float* out) {
    products[n++] = {m, {&from}, out, static_cast<std::ptrdiff_t>(m.rows)};
  };
  add(a.kv_a, in, kv_a_.data());
  if (a.q_a) {
    add(*a.q_a, in, q_a_.data());
  } else {
    add(a.q_b, in, q_.data());
  }
  if (w.indexer) add(w.indexer->k, in, index_k_.data());
  if (w.indexer && index_queries) {
    add(w.indexer->head_weights, in, index_weights_.data());
    if (!a.q_a) add(w.indexer->q_b, in, index_q_.data());
  }
  multiply(team, scratch_, std::span(products).first(n));
  if (!a.q_a) return;

  profile.enter(Step::kNormalize);
  q_in_.reset(n_tokens_, c_.q_lora_rank);
  team.run(n_tokens_, [&](int t, int) {
    float* const row = q_a_.data() + std::ptrdiff_t{t} * c_.q_lora_rank;
    simd::kernels().rms_norm(row, a.q_a_norm, c_.q_lora_rank, static_cast<float>(c_.rms_norm_eps),
                             row);
    q_in_.set_row(t, row);
  });
  profile.enter(Step::kProducts);
  n = 0;
  add(a.q_b, q_in_, q_.data());
  if (w.indexer && index_queries) add(w.indexer->q_b, q_in_, index_q_.data());
  multiply(team, scratch_, std::span(products).first(n));
}

/// Rotates and scales token t's queries, and appends its rows to the cache (NUMERICS 4.1, 4.2).
void Attention::finish_token(int layer, const LayerWeights& w, const KvCache& cache, int t) {
  const simd::Kernels& k = simd::kernels();
  const std::int32_t position = first_position_ + t;
  const Angles a = angles(t);
  const int latent = c_.kv_lora_rank, rope = c_.qk_rope_head_dim, dim = c_.qk_head_dim();

  float* const kv = kv_a_.data() + std::ptrdiff_t{t} * (latent + rope);
  k.rms_norm(kv, w.attention.kv_a_norm, latent, static_cast<float>(c_.rms_norm_eps), kv);
  k.rope_interleaved(kv + latent, a.cos, a.sin, rope);
  const simd::KvFormat format = settings_.cache.kv;
  const auto store = format == simd::KvFormat::kF32    ? k.kv_store_f32
                     : format == simd::KvFormat::kBf16 ? k.kv_store_bf16
                                                       : k.kv_store_int8;
  store(kv, kv + latent, latent, rope, cache.row(layer, position));

  float* const q = q_.data() + std::ptrdiff_t{t} * c_.num_attention_heads * dim;
  for (int head = 0; head < c_.num_attention_heads; ++head) {
    float* const row = q + std::ptrdiff_t{head} * dim;
    k.rope_interleaved(row + c_.qk_nope_head_dim, a.cos, a.sin, rope);
    for (int i = 0; i < dim; ++i) row[i] *= softmax_scale_;
  }
  if (!w.indexer) return;
  indexer_.store_key(cache, layer, position, *w.indexer, a,
                     index_k_.data() + std::ptrdiff_t{t} * c_.index_head_dim);
  if (sparse_ && indexer_.must_select(position)) {
    indexer_.prepare_query(
        t, a, index_q_.data() + std::ptrdiff_t{t} * c_.index_n_heads * c_.index_head_dim,
        index_weights_.data() + std::ptrdiff_t{t} * c_.index_n_heads);
  }
}

/// The chunk's first token that attends to a selection; those before it see every key.
int Attention::first_sparse_token() const {
  if (!sparse_) return n_tokens_;
  return std::clamp(c_.index_topk - first_position_, 0, n_tokens_);
}

/// How many of the chunk's first queries are computed decompressed; n_dense of them see every key.
int Attention::n_decompressed(const AttentionWeights& w, int n_dense) const {
  switch (settings_.mla) {
    case MlaMode::kAbsorb:
      return 0;
    case MlaMode::kDecompress:
      return n_tokens_;
    case MlaMode::kAuto:
      break;
  }
  return cheaper_decompressed(c_, {first_position_, n_tokens_, n_dense},
                              settings_.cache.kv != simd::KvFormat::kF32, needs_of(w.k_b).integers);
}

void Attention::run(runtime::ThreadTeam& team, int layer, const LayerWeights& w,
                    const KvCache& cache, const Panels& in, float* x, LayerTrace* trace,
                    Profile& profile) {
  profile.enter(Part::kAttention, Step::kProducts);
  const int n_dense = first_sparse_token();
  const bool shows_index = trace != nullptr && trace->index.has_value();
  project(team, w, in, n_dense < n_tokens_ || shows_index || are_products_seen(), profile);
  profile.enter(Step::kNormalize);
  team.run(n_tokens_, [&](int t, int) { finish_token(layer, w, cache, t); });

  if (n_dense < n_tokens_) {
    profile.enter(Part::kIndexer, Step::kSelect);
    indexer_.select(team, cache, layer, n_dense, n_tokens_, first_position_);
  }
  profile.enter(Part::kAttention, Step::kAttend);
  const auto keys = [&](int t) -> VisibleKeys {
    if (t < n_dense) return {nullptr, first_position_ + t + 1};
    const auto selected = indexer_.selection(t);
    return {selected.data(), static_cast<std::int32_t>(selected.size())};
  };
  const int n_first = n_decompressed(w.attention, n_dense);
  if (n_first > 0) {
    dense_.run(team, w.attention, cache, layer, first_position_, n_first, q_.data(), keys,
               mixed_.data());
  }
  latent_.run(team, w.attention, cache, layer, n_first, n_tokens_, q_.data(), keys, mixed_.data());

  profile.enter(Step::kNormalize);
  const int mixed_cols = c_.num_attention_heads * c_.v_head_dim;
  o_in_.reset(n_tokens_, mixed_cols);
  team.run(n_tokens_,
           [&](int t, int) { o_in_.set_row(t, mixed_.data() + std::ptrdiff_t{t} * mixed_cols); });
  const Linear o = {w.attention.o, {&o_in_}, out_.data(), c_.hidden_size};
  profile.enter(Step::kProducts);
  multiply(team, scratch_, {&o, 1});
  profile.enter(Step::kOther);
  team.run(n_tokens_, [&](int t, int) {
    const std::ptrdiff_t row = std::ptrdiff_t{t} * c_.hidden_size;
    simd::kernels().add(out_.data() + row, c_.hidden_size, x + row);
  });

  if (trace == nullptr || !c_.has_indexer()) return;
  for (int t = 0; t < n_tokens_; ++t) {
    auto& chosen = trace->topk.emplace_back();
    if (t < n_dense) continue;
    const auto selected = indexer_.selection(t);
    chosen.emplace(selected.begin(), selected.end());
  }
  if (!shows_index) return;
  const auto append = [&](std::vector<float>& to, const runtime::Array<float>& rows, int width) {
    to.insert(to.end(), rows.data(), rows.data() + std::ptrdiff_t{n_tokens_} * width);
  };
  append(trace->index->k, index_k_, c_.index_head_dim);
  append(trace->index->q, index_q_, c_.index_n_heads * c_.index_head_dim);
  append(trace->index->weights, index_weights_, c_.index_n_heads);
}

}  // namespace leyden::model
