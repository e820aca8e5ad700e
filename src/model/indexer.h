#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "formats/model_config.h"
#include "src/model/kv_cache.h"
#include "src/model/linear.h"
#include "src/model/weights.h"
#include "src/runtime/exchange.h"
#include "src/runtime/memory.h"
#include "src/runtime/scratch.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

/// cos and sin of some positions (RopeTable), [n_pairs] each.
struct Angles {
  const float* cos = nullptr;
  const float* sin = nullptr;
};

/// The lightning indexer of DeepSeek Sparse Attention (NUMERICS 6): keeps one key per token and
/// finds, for a query, the index_topk cached tokens with the best scores.
class Indexer {
 public:
  Indexer() = default;
  Indexer(const formats::ModelConfig& config, simd::IndexFormat format, int max_tokens,
          const runtime::Crew& crew);

  /// Finishes an index key (NUMERICS 6.3, 6.4) and puts it into the cache. key: wk(x) [index dim],
  /// overwritten.
  void store_key(const KvCache& cache, int layer, std::int32_t position, const IndexerWeights& w,
                 Angles angles, float* key) const;

  /// True when a query at this position has more keys than it may attend to.
  bool must_select(std::int32_t position) const { return position >= config_->index_topk; }

  /// Rotates and quantizes the query of chunk token t (NUMERICS 6.2, 6.4). q: wq_b [heads, dim] and
  /// head_weights: weights_proj [heads]; both are overwritten and kept until select().
  void prepare_query(int t, Angles angles, float* q, float* head_weights);

  /// Selects for chunk tokens [begin, end), token t standing at first_position + t, all of which
  /// must_select. The set is that of a full sort, for any number of threads and whatever was chosen
  /// before; what was chosen for the layer's token before only saves time.
  void select(runtime::ThreadTeam& team, const KvCache& cache, int layer, int begin, int end,
              std::int32_t first_position);

  /// Positions chosen for chunk token t, ascending: index_topk of them, fewer only where scores are
  /// NaN (a broken model), and the token's own if all are.
  std::span<const std::int32_t> selection(int t) const {
    return {selected_.data() + static_cast<std::size_t>(t) * top_k(),
            static_cast<std::size_t>(n_selected_[static_cast<std::size_t>(t)])};
  }

 private:
  std::size_t q_offset(int t) const;
  simd::IndexQuery query_on(int node, int t) const;
  /// What can be chosen from at most. A larger index_topk never comes to a choice.
  std::size_t top_k() const {
    return static_cast<std::size_t>(
        std::min(config_->index_topk, config_->max_position_embeddings));
  }
  void scan(const KvCache& cache, int layer, std::int32_t begin, std::int32_t end,
            const std::byte* next, const simd::IndexQuery& query, const std::int32_t* ends,
            int n_queries, simd::TopK* best) const;
  float warm_floor(runtime::ThreadTeam& team, const KvCache& cache, int layer, int t,
                   std::int32_t n_keys);
  void select_alone(runtime::ThreadTeam& team, const KvCache& cache, int layer, int t,
                    std::int32_t n_keys);
  void select_block(const KvCache& cache, int layer, int begin, int end,
                    std::int32_t first_position, simd::TopK* best);
  void choose(simd::TopK& best, int t, std::int32_t position);

  const formats::ModelConfig* config_ = nullptr;
  simd::IndexFormat format_ = simd::IndexFormat::kF32;
  std::vector<simd::IndexQuery> queries_;  // [max_tokens]
  runtime::Exchange q_;  // of int8 keys: int8 [max_tokens, heads, dim], int32 [max_tokens, heads]
  std::size_t q_start_offset_ = 0;            // of the latter
  runtime::Array<std::int32_t> selected_;     // [max_tokens, index_topk]
  std::vector<std::int32_t> n_selected_;      // [max_tokens]
  int block_ = 1;                             // queries that a thread scans keys for at once
  runtime::Scratch candidates_;               // what best_ points to
  std::vector<simd::TopK> best_;              // [threads, block]
  runtime::Array<std::int32_t> last_choice_;  // [layers, index_topk], of the latest token
  std::vector<std::int32_t> n_last_choice_;   // [layers]
  runtime::Array<float> last_choice_scores_;  // [index_topk], for the token at hand
};

}  // namespace leyden::model
