#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "formats/model_config.h"
#include "src/model/dense_attention.h"
#include "src/model/indexer.h"
#include "src/model/kv_cache.h"
#include "src/model/latent_attention.h"
#include "src/model/linear.h"
#include "src/model/options.h"
#include "src/model/panels.h"
#include "src/model/profile.h"
#include "src/model/rope_table.h"
#include "src/model/weights.h"
#include "src/runtime/scratch.h"

namespace leyden::model {

/// The attention half of a layer (NUMERICS 4 and 6) for a chunk of consecutive tokens: projections,
/// rotary embedding, cache rows, the indexer's choice, attention in one of its two forms, output
/// projection.
class Attention {
 public:
  struct Settings {
    AttentionMode attention = AttentionMode::kAuto;
    MlaMode mla = MlaMode::kAuto;
    CacheFormats cache;
  };

  /// Buffers for at most max_tokens tokens a call. needs: what the weights read.
  Attention(const formats::ModelConfig& config, const Settings& settings, int max_tokens,
            const runtime::Crew& crew, ActivationNeeds needs);

  /// Computes the angles of positions [first_position, first_position + n_tokens) for all layers.
  void begin_chunk(std::int32_t first_position, int n_tokens);

  /// x[t] += attention(in[t]) for the chunk's tokens; their rows join the cache, which has room.
  /// in: the normalized rows; x: [n_tokens, hidden]; trace: where the choices go, or null.
  void run(runtime::ThreadTeam& team, int layer, const LayerWeights& w, const KvCache& cache,
           const Panels& in, float* x, LayerTrace* trace, Profile& profile);

 private:
  Angles angles(int t) const;
  void project(runtime::ThreadTeam& team, const LayerWeights& w, const Panels& in,
               bool index_queries, Profile& profile);
  void finish_token(int layer, const LayerWeights& w, const KvCache& cache, int t);
  int first_sparse_token() const;
  int n_decompressed(const AttentionWeights& w, int n_dense) const;

  const formats::ModelConfig& c_;
  Settings settings_;
  RopeTable rope_;
  float softmax_scale_;
  bool sparse_;  // attend to what an indexer chose

  std::int32_t first_position_ = 0;
  int n_tokens_ = 0;
  runtime::Array<float> cos_, sin_;      // [max_tokens, rope pairs]
  runtime::Array<float> q_a_;            // [max_tokens, q_lora_rank]
  runtime::Array<float> q_;              // [max_tokens, heads, nope + rope]
  runtime::Array<float> kv_a_;           // [max_tokens, kv_lora_rank + rope]
  runtime::Array<float> index_q_;        // [max_tokens, index heads, index dim]
  runtime::Array<float> index_k_;        // [max_tokens, index dim]
  runtime::Array<float> index_weights_;  // [max_tokens, index heads]
  runtime::Array<float> mixed_;          // [max_tokens, heads, v_head_dim]
  runtime::Array<float> out_;            // [max_tokens, hidden]
  Panels q_in_, o_in_;
  runtime::Scratch scratch_;
  Indexer indexer_;
  LatentAttention latent_;
  DenseAttention dense_;
};

}  // namespace leyden::model
