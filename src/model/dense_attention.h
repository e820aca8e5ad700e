#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "formats/model_config.h"
#include "src/model/kv_cache.h"
#include "src/model/linear.h"
#include "src/model/visible_keys.h"
#include "src/model/weights.h"
#include "src/runtime/scratch.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

constexpr int kMostQueryBlocks = 32;

/// Blocks, 1 ... kMostQueryBlocks, that the queries of every head are cut into so that threads
/// beyond the heads have work. Keys are decompressed once more for each, at the cost
/// `decompressing`; the queries together cost `attending`. For speed only.
int query_blocks(int heads, std::int64_t decompressing, std::int64_t attending, int n_threads);

/// Decompressed MLA (NUMERICS 4.4, expanded): the latents of a run of keys are multiplied out to
/// keys and values per head, in buffers that stay in cache, and every query of a chunk is
/// multiplied with all keys up to its own. A query that attends to some of them only is shown no
/// others: it costs as much as if it saw all, which is still less than taking a few thousand chosen
/// ones absorbed. Keys go in rounds, so memory doesn't grow with the context.
class DenseAttention {
 public:
  DenseAttention() = default;
  DenseAttention(const formats::ModelConfig& config, simd::KvFormat format, int max_tokens,
                 const runtime::Crew& crew, ActivationNeeds needs);

  /// mixed[t] = attention of queries t in [0, n), query t standing at first_position + t.
  /// q: [., heads, nope + rope], rotated, softmax scale folded in; keys(t): what query t sees, all
  /// up to its own or some of these; mixed: [., heads, v_head_dim].
  void run(runtime::ThreadTeam& team, const AttentionWeights& w, const KvCache& cache, int layer,
           std::int32_t first_position, int n, const float* q,
           const std::function<VisibleKeys(int)>& keys, float* mixed);

 private:
  void load_keys(runtime::ThreadTeam& team, const KvCache& cache, int layer, std::int32_t first_key,
                 int n_keys);
  void mark_chosen(runtime::ThreadTeam& team, std::int32_t first_key, int n,
                   const std::function<VisibleKeys(int)>& keys);
  int cut_queries(std::int32_t first_position, int n, std::int32_t first_key, int n_keys,
                  int n_threads);
  void attend_head(const AttentionWeights& w, std::int32_t first_position, int begin, int end,
                   std::int32_t first_key, int n_keys, int head, const float* q, float* mixed,
                   int worker, int node);

  const formats::ModelConfig* c_ = nullptr;
  simd::KvFormat format_ = simd::KvFormat::kF32;
  int max_tokens_ = 0;
  Panels latents_;                        // of this round's keys
  runtime::Array<float> rope_keys_;       // [round keys, rope]
  runtime::Array<float> max_, sum_;       // [heads, max_tokens]
  runtime::Array<std::uint32_t> chosen_;  // [max_tokens, round keys] bits of this round, if any
  bool has_choice_ = false;
  std::array<int, kMostQueryBlocks + 1> block_begin_{};  // first queries, and the end
  std::size_t key_offset_ = 0, value_offset_ = 0, partial_offset_ = 0, visible_offset_ = 0,
              row_offset_ = 0, query_offset_ = 0, attend_offset_ = 0;  // into a thread's scratch
  runtime::Scratch scratch_;
};

}  // namespace leyden::model
