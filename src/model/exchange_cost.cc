#include "src/model/exchange_cost.h"

#include <algorithm>
#include <cmath>

#include "simd/kernels.h"
#include "src/model/linear.h"

namespace leyden::model {
namespace {

/// What crosses between n nodes, added up over the steps of a layer.
class ExchangeSum {
 public:
  ExchangeSum(int n_nodes, bool interleaved, const formats::ModelConfig& config)
      : others_(n_nodes - 1),
        elsewhere_(others_ / n_nodes),
        interleaved_(interleaved),
        c_(config) {}

  ExchangeCost cost;

  /// One row of activations that a matrix reads on the nodes where its rows are.
  void read_by(const PlacedMatrix& m) {
    copy(Panels::row_bytes(static_cast<int>(m.cols), needs_of(m)));
  }
  /// Values that the caller or another node goes on with; the matrix' rows, one float each.
  void computed_by(const PlacedMatrix& m) {
    cost.outputs += away(m) * static_cast<double>(m.rows) * sizeof(float);
  }
  void product(const PlacedMatrix& m) {
    read_by(m);
    computed_by(m);
  }

  void attention(const LayerWeights& w, const KvCache& cache, double keys, bool selects) {
    const AttentionWeights& a = w.attention;
    const auto heads = static_cast<double>(c_.num_attention_heads);
    read_by(a.kv_a);  // q_a and the indexer read the same copy, or floats beside it
    computed_by(a.kv_a);
    if (a.q_a) {
      computed_by(*a.q_a);
      read_by(a.q_b);
    }
    computed_by(a.q_b);
    if (w.indexer) computed_by(w.indexer->k);
    if (selects) {
      computed_by(w.indexer->q_b);
      product(w.indexer->head_weights);
      copy(static_cast<std::size_t>(c_.index_n_heads) *
           (static_cast<std::size_t>(c_.index_head_dim) + sizeof(std::int32_t)));
      cost.partials += elsewhere_ * keys * (sizeof(float) + sizeof(std::int32_t));  // candidates
      keys = c_.index_topk;
    }

    // Queries go to their heads' nodes, come back in latent space and are copied to all nodes.
    const double there = away(a.k_b_absorbed) * heads;
    const double query =
        cache.formats().kv == simd::KvFormat::kF32
            ? sizeof(float) * (c_.kv_lora_rank + c_.qk_rope_head_dim)
            : static_cast<double>(simd::fixed_query_bytes(c_.kv_lora_rank, c_.qk_rope_head_dim));
    cost.outputs += there * (sizeof(float) * static_cast<double>(c_.qk_head_dim()) + query);
    copy(heads * query);
    // A chunk's result goes to the heads' nodes, where values are taken.
    const double chunks = std::ceil(keys / simd::kKeyChunk);
    cost.partials +=
        elsewhere_ * chunks * heads * sizeof(float) * (2 + static_cast<double>(c_.kv_lora_rank));
    cost.outputs += away(a.v_b) * heads * sizeof(float) * c_.v_head_dim;
    product(a.o);
  }

  void feed_forward(const LayerWeights& w) {
    if (w.mlp) return mlp(*w.mlp);
    if (!w.moe) return;
    product(w.moe->router);
    const bool whole = w.moe->down[0].parts.size() == 1 && !interleaved_;
    for (int i = 0; i < c_.num_experts_per_tok; ++i) {  // experts on average
      hidden(w.moe->gate[0], w.moe->down[0], whole ? away(w.moe->down) : away(w.moe->gate[0]),
             whole);
    }
    if (w.moe->shared)
      hidden(w.moe->shared->gate, w.moe->shared->down, away(w.moe->shared->gate), false);
    read_by(w.moe->gate[0]);  // all experts read the same copy
    const double terms = whole ? c_.num_experts_per_tok + (w.moe->shared ? 1 : 0) : 0;
    cost.partials += elsewhere_ * terms * sizeof(float) * c_.hidden_size;
    if (!whole) computed_by(w.moe->down[0]);
  }

 private:
  /// Bytes that every further node copies.
  void copy(double bytes) { cost.inputs += others_ * bytes; }
  void copy(std::size_t bytes) { copy(static_cast<double>(bytes)); }

  void mlp(const MlpWeights& w) {
    read_by(w.gate);
    hidden(w.gate, w.down, away(w.gate), false);
    computed_by(w.down);
  }

  /// A task's hidden row: written where its gate is, read where its down projection is.
  void hidden(const PlacedMatrix& gate, const PlacedMatrix& down, double written_away, bool whole) {
    const auto bytes =
        static_cast<double>(Panels::row_bytes(static_cast<int>(gate.rows), needs_of(down)));
    cost.outputs += written_away * bytes;
    cost.inputs += (whole ? written_away : others_) * bytes;
  }

  /// Share of the rows that another node than the first computes.
  double away(std::span<const MatrixPart> parts) const {
    if (interleaved_) return elsewhere_;
    double all = 0, there = 0;
    for (const MatrixPart& part : parts) {
      all += static_cast<double>(part.rows.rows);
      if (part.node != 0) there += static_cast<double>(part.rows.rows);
    }
    return there / all;
  }
  double away(const PlacedMatrix& m) const { return away(m.parts); }
  double away(const PlacedStack& m) const { return away(m.parts); }

  double others_, elsewhere_;
  bool interleaved_;
  const formats::ModelConfig& c_;
};

}  // namespace

ExchangeCost exchange_cost(const formats::ModelConfig& config, const ModelWeights& weights,
                           const KvCache& cache, int n_nodes, bool interleaved, bool sparse,
                           std::int64_t depth) {
  ExchangeSum sum(n_nodes, interleaved, config);
  if (n_nodes == 1) return sum.cost;
  const bool selects = sparse && config.has_indexer() && depth >= config.index_topk;
  for (const LayerWeights& w : weights.layers) {
    sum.attention(w, cache, static_cast<double>(depth) + 1, selects);
    sum.feed_forward(w);
  }
  sum.product(weights.head);
  return sum.cost;
}

}  // namespace leyden::model
