#include "src/numa_plan.h"

#include <algorithm>
#include <map>
#include <random>

#include "src/model/cost.h"
#include "src/model/planned_weights.h"

namespace leyden {
namespace {

using model::NumaPolicy;

double largest(const std::vector<double>& values) { return *std::ranges::max_element(values); }

/// How many of the chosen experts lie on the node that has most of them, on average. count: of each
/// expert, or empty: all equally likely.
double busiest_node(const std::vector<int>& node_of, const std::vector<std::int64_t>& count,
                    int chosen, std::size_t n_nodes, std::mt19937& random) {
  constexpr int kDraws = 1000;
  std::exponential_distribution<double> waiting;
  std::vector<std::pair<double, int>> order(node_of.size());  // of an expert; its node
  double sum = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    // Whoever comes first when each comes at random, so often in its time: a choice without
    // repetition. One that was never seen may come all the same.
    for (std::size_t e = 0; e < order.size(); ++e) {
      const double often = count.empty() ? 1.0 : 1.0 + static_cast<double>(count[e]);
      order[e] = {waiting(random) / often, node_of[e]};
    }
    std::ranges::nth_element(order, order.begin() + chosen - 1);
    std::vector<int> on(n_nodes);
    for (int i = 0; i < chosen; ++i) {
      ++on[static_cast<std::size_t>(order[static_cast<std::size_t>(i)].second)];
    }
    sum += *std::ranges::max_element(on);
  }
  return sum / kDraws;
}

/// Weight bytes that the busiest node reads for a token under kWhole.
double busiest_bytes(const formats::ModelConfig& config, std::span<const quant::TensorSpec> specs,
                     const model::Placement& placement, const std::vector<double>& on_node,
                     const model::ExpertCounts& counts) {
  const int chosen = config.num_experts_per_tok;
  const std::size_t n_nodes = on_node.size();
  std::vector<double> rest = on_node;
  std::map<std::int64_t, double> busiest_of_layer;
  std::mt19937 random(1);
  double experts = 0;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!model::is_expert_stack(specs[i])) continue;
    const std::vector<int>& node_of = placement.tensors[i].node_of;
    const double bytes =
        static_cast<double>(specs[i].bytes()) / static_cast<double>(specs[i].count);
    for (std::size_t k = 0; k < n_nodes; ++k) {
      rest[k] -= bytes * chosen *
                 static_cast<double>(std::ranges::count(node_of, static_cast<int>(k))) /
                 static_cast<double>(node_of.size());
    }
    // Gate, up and down of an expert lie together: one choice counts for all three.
    const std::int64_t layer = model::layer_of(specs[i].name);
    const auto [busiest, is_new] = busiest_of_layer.try_emplace(layer, 0.0);
    if (is_new) {
      const bool counted = static_cast<std::size_t>(layer) < counts.size();
      busiest->second = busiest_node(
          node_of, counted ? counts[static_cast<std::size_t>(layer)] : std::vector<std::int64_t>(),
          chosen, n_nodes, random);
    }
    experts += bytes * busiest->second;
  }
  return largest(rest) + experts;
}

}  // namespace

NumaEstimate estimate_decoding(const formats::ModelConfig& config,
                               std::span<const quant::TensorSpec> specs, NumaPolicy policy,
                               std::span<const int> workers,
                               const model::Attention::Settings& attention, std::int64_t context,
                               NodeRates rates, const model::ExpertCounts& counts) {
  NumaEstimate estimate;
  estimate.placement = model::place_tensors(specs, policy, workers, counts);
  const model::PlannedWeights planned(config, specs, &estimate.placement, "plan");
  const model::ModelWeights& weights = *planned;
  const model::KvCache cache(config, attention.cache);
  const bool sparse = attention.attention != model::AttentionMode::kDense;
  const model::TokenCost cost = model::decode_cost(config, weights, cache, sparse, context);

  const auto n = static_cast<double>(workers.size());
  const double gb = 1e-9;
  double slowest = 0;  // seconds
  if (policy == NumaPolicy::kInterleave) {
    const double all = cost.weight_bytes + cost.cache_bytes;
    estimate.local_bytes = all / n;
    estimate.remote_bytes = all - estimate.local_bytes;
    slowest = gb * (estimate.local_bytes / rates.local + estimate.remote_bytes / rates.remote) / n;
    estimate.busiest_share = 1 / n;
  } else {
    const double busiest =
        policy == NumaPolicy::kWhole && workers.size() > 1
            ? busiest_bytes(config, specs, estimate.placement, cost.weight_bytes_on, counts)
            : largest(cost.weight_bytes_on);
    estimate.busiest_share = busiest / cost.weight_bytes;
    // Pages of the cache go to the nodes in turn and are scanned at home; rows that an indexer
    // has chosen lie anywhere.
    const bool selects = sparse && config.has_indexer() && context >= config.index_topk;
    const double scattered = selects ? static_cast<double>(config.index_topk) *
                                           static_cast<double>(cache.row_bytes()) *
                                           config.num_hidden_layers
                                     : 0;
    estimate.remote_bytes = scattered * (n - 1) / n;
    estimate.local_bytes = cost.weight_bytes + cost.cache_bytes - estimate.remote_bytes;
    const double local_cache = cost.cache_bytes - estimate.remote_bytes;
    slowest = gb * (busiest / rates.local + local_cache / n / rates.local +
                    estimate.remote_bytes / n / rates.remote);
  }
  estimate.exchanged =
      model::exchange_cost(config, weights, cache, static_cast<int>(workers.size()),
                           policy == NumaPolicy::kInterleave, sparse, context);
  slowest += gb * estimate.exchanged.total() / n / rates.remote;
  estimate.tokens_per_second = 1 / slowest;
  return estimate;
}

}  // namespace leyden
