#include "src/model/cost.h"

#include <algorithm>

namespace leyden::model {
namespace {

class Sum {
 public:
  void add(const PlacedMatrix& m, double times = 1) { add(m.parts, times); }
  /// `times` of a stack's matrices, all of them being equally likely.
  void add(const PlacedStack& stack, double times) {
    add(stack.parts, times / static_cast<double>(stack.count));
  }
  void add(const MlpWeights& mlp) {
    add(mlp.gate);
    add(mlp.up);
    add(mlp.down);
  }
  /// selects: the share of tokens that have an indexer choose.
  void add(const LayerWeights& w, const formats::ModelConfig& config, double selects) {
    const AttentionWeights& a = w.attention;
    const auto heads = static_cast<double>(config.num_attention_heads);
    if (a.q_a) add(*a.q_a);
    add(a.q_b);
    add(a.kv_a);
    // Absorbed or decompressed, the key rows and the value rows of kv_b are multiplied once.
    add(a.k_b_absorbed, heads);
    add(a.v_b, heads);
    add(a.o);
    if (w.indexer) {
      add(w.indexer->k);
      add(w.indexer->q_b, selects);
      add(w.indexer->head_weights, selects);
    }
    if (w.mlp) add(*w.mlp);
    if (!w.moe) return;
    const auto chosen = static_cast<double>(config.num_experts_per_tok);
    add(w.moe->router);
    add(w.moe->gate, chosen);
    add(w.moe->up, chosen);
    add(w.moe->down, chosen);
    if (w.moe->shared) add(*w.moe->shared);
  }

  TokenCost cost;

 private:
  void add(std::span<const MatrixPart> parts, double times) {
    for (const MatrixPart& part : parts) {
      const quant::MatrixView& m = part.rows;
      const double bytes =
          times * static_cast<double>(quant::matrix_bytes(m.format, m.rows, m.cols));
      const auto node = static_cast<std::size_t>(part.node);
      if (node >= cost.weight_bytes_on.size()) cost.weight_bytes_on.resize(node + 1);
      cost.weight_bytes += bytes;
      cost.weight_bytes_on[node] += bytes;
      cost.weight_macs += times * static_cast<double>(m.rows) * static_cast<double>(m.cols);
    }
  }
};

}  // namespace

TokenCost decode_cost(const formats::ModelConfig& config, const ModelWeights& weights,
                      const KvCache& cache, bool sparse, std::int64_t depth) {
  const double keys = static_cast<double>(depth) + 1;
  const bool selects = sparse && config.has_indexer() && depth >= config.index_topk;
  Sum sum;
  for (const LayerWeights& w : weights.layers) sum.add(w, config, selects ? 1 : 0);
  sum.add(weights.head);
  const auto layers = static_cast<double>(weights.layers.size());
  const double attended = selects ? config.index_topk : keys;
  sum.cost.cache_bytes = layers * attended * static_cast<double>(cache.row_bytes());
  if (selects) sum.cost.cache_bytes += layers * keys * static_cast<double>(cache.index_bytes());
  return sum.cost;
}

TokenCost prefill_cost(const formats::ModelConfig& config, const ModelWeights& weights, bool sparse,
                       std::int64_t depth, int n) {
  const auto selecting = std::clamp<std::int64_t>(depth + n - config.index_topk, 0, n);
  const double selects = sparse ? static_cast<double>(selecting) / n : 0;
  Sum sum;
  for (const LayerWeights& w : weights.layers) sum.add(w, config, selects);
  sum.cost.weight_bytes = 0;
  return sum.cost;
}

}  // namespace leyden::model
