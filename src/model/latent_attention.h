#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "formats/model_config.h"
#include "src/model/kv_cache.h"
#include "src/model/linear.h"
#include "src/model/visible_keys.h"
#include "src/model/weights.h"
#include "src/runtime/exchange.h"
#include "src/runtime/node_buffers.h"
#include "src/runtime/scratch.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

/// Queries that are taken into latent space and attend at a time: equally many for every thread, so
/// that none waits. What they need, 0.4 MB each at V3.2's sizes, doesn't grow with the prompt.
int queries_at_a_time(int max_tokens, int n_threads);

/// Heads that one call of the kernel serves when n_items, chunks of one query or whole queries, are
/// spread over threads: 1 ... heads. All heads of a call share the gathering and packing of a
/// chunk's rows, so few threads take an item with all its heads, and many take some heads of an
/// item each. For speed only: a head's partial result of a chunk is the same in any call.
int heads_per_call(int heads, int n_items, int n_threads);

/// Whether it costs less to take n_queries of n_chunks each one after the other, the chunks of one
/// spread over all threads, than to spread the queries. For speed only.
bool side_by_side_pays(int heads, int n_queries, int n_chunks, int n_threads);

/// Absorbed MLA (NUMERICS 4.4): queries are taken into latent space, scores and values are taken
/// against the cached latents themselves, and W_uv is applied last. A query's keys are cut into
/// chunks of 256; their partial results are merged in ascending order, whoever computed them, so
/// the bits depend on the query and its keys alone.
class LatentAttention {
 public:
  LatentAttention() = default;
  LatentAttention(const formats::ModelConfig& config, simd::KvFormat format, int max_tokens,
                  const runtime::Crew& crew, ActivationNeeds needs);

  /// mixed[t] = attention of query t for t in [begin, end).
  /// q: [., heads, nope + rope], rotated, softmax scale folded in; keys(t): what query t sees;
  /// mixed: [., heads, v_head_dim].
  void run(runtime::ThreadTeam& team, const AttentionWeights& w, const KvCache& cache, int layer,
           int begin, int end, const float* q, const std::function<VisibleKeys(int)>& keys,
           float* mixed);

 private:
  struct Partial {  // [heads] of one query
    float *max, *sum, *out;
  };
  void absorb(runtime::ThreadTeam& team, const AttentionWeights& w, int begin, int n,
              const float* q);
  void attend_side_by_side(runtime::ThreadTeam& team, const AttentionWeights& w,
                           const KvCache& cache, int layer, int t, VisibleKeys keys);
  void attend_one_by_one(runtime::ThreadTeam& team, const KvCache& cache, int layer, int begin,
                         int n, const std::function<VisibleKeys(int)>& keys);
  void apply_values(runtime::ThreadTeam& team, const AttentionWeights& w, int begin, int n,
                    float* mixed);
  void attend_chunk(const KvCache& cache, int layer, VisibleKeys keys, std::int32_t chunk,
                    std::int32_t next_chunk, const std::byte* query, int first_head, int n_heads,
                    Partial to, int worker) const;
  std::size_t query_offset(int t_in_block, int head) const;
  Partial result(int t_in_block) const;
  Partial slot(int node, int i) const;
  void merge_head(int head, Partial into, Partial from) const;

  const formats::ModelConfig* c_ = nullptr;
  simd::KvFormat format_ = simd::KvFormat::kF32;
  int block_tokens_ = 0;     // queries absorbed at a time
  runtime::Exchange query_;  // [block, heads, query_bytes_]
  std::size_t query_bytes_ = 0;
  runtime::Array<float> max_, sum_, out_;  // [block, heads], [.], [block, heads, latent]
  runtime::NodeBuffers slots_;  // the same, one slot after the other, for chunks in flight
  std::vector<Panels> panels_;  // one per thread, of one panel
  std::size_t attend_offset_ = 0, row_offset_ = 0, query_offset_ = 0;  // into a thread's scratch
  runtime::Scratch scratch_;
};

}  // namespace leyden::model
