#include "src/numa_plan.h"

#include <gtest/gtest.h>

#include "formats/recipe_file.h"
#include "src/model/synthetic.h"
#include "tests/model/every_policy.h"

namespace leyden {
namespace model {
namespace {

LEYDEN_EVERY_POLICY(NumaPlan);

/// The whole of V3.2, which nobody has to have for a plan.
struct Whole {
  formats::ModelConfig config = synthetic_config("v3.2", 3, 58);
  std::vector<quant::TensorSpec> specs = synthetic_specs(config, formats::load_recipe("int4"));

  NumaEstimate on(int nodes, NumaPolicy policy, const ExpertCounts& counts = {}) const {
    const std::vector<int> workers(static_cast<std::size_t>(nodes), 1);
    return estimate_decoding(config, specs, policy, workers, {}, 4096, {100, 50}, counts);
  }
};

TEST_P(NumaPlan, CountsWhatAttentionReadsAndInWhichFormat) {
  const Whole model;
  const auto on_two = [&](const Attention::Settings& attention) {
    return estimate_decoding(model.config, model.specs, GetParam(), std::vector<int>{1, 1},
                             attention, 100000, {100, 50});
  };
  const auto bytes = [](const NumaEstimate& e) { return e.local_bytes + e.remote_bytes; };
  const NumaEstimate usual = on_two({});
  const double layers = model.config.num_hidden_layers, keys = 100001;
  const KvCache cache(model.config, {});

  const NumaEstimate floats = on_two({.cache = {.index = simd::IndexFormat::kF32}});
  const KvCache floats_cache(model.config, {.index = simd::IndexFormat::kF32});
  const auto more = static_cast<double>(floats_cache.index_bytes() - cache.index_bytes());
  EXPECT_NEAR(bytes(floats) - bytes(usual), layers * keys * more, 1e3);

  Attention::Settings to_all;
  to_all.attention = AttentionMode::kDense;
  const NumaEstimate dense = on_two(to_all);
  const double rows =
      layers * (keys - model.config.index_topk) * static_cast<double>(cache.row_bytes());
  const double scan = layers * keys * static_cast<double>(cache.index_bytes());
  double queries = 0;  // the weights they are computed with
  for (const quant::TensorSpec& spec : model.specs) {
    if (!spec.name.ends_with("indexer.q_b") && !spec.name.ends_with("indexer.head_weights")) {
      continue;
    }
    queries += static_cast<double>(spec.bytes());
  }
  EXPECT_NEAR(bytes(dense) - bytes(usual), rows - scan - queries, 1e3);
  EXPECT_GT(dense.exchanged.partials, usual.exchanged.partials);
  EXPECT_LT(dense.exchanged.inputs, usual.exchanged.inputs);
  EXPECT_LT(dense.tokens_per_second, usual.tokens_per_second);
}

TEST_P(NumaPlan, EveryByteIsReadSomewhereAndOneNodeExchangesNothing) {
  const Whole model;
  const NumaEstimate one = model.on(1, GetParam());
  EXPECT_EQ(one.remote_bytes, 0);
  EXPECT_EQ(one.exchanged.total(), 0);
  for (const int nodes : {2, 3, 8}) {
    const NumaEstimate e = model.on(nodes, GetParam());
    // Every part of an int4 matrix has the levels of its own.
    EXPECT_NEAR(e.local_bytes + e.remote_bytes, one.local_bytes, 1e-4 * one.local_bytes);
    EXPECT_GE(e.busiest_share, 1.0 / nodes - 1e-3);
    EXPECT_LT(e.exchanged.total(), 0.05 * one.local_bytes);
    EXPECT_GT(e.tokens_per_second, one.tokens_per_second);
  }
}

TEST_P(NumaPlan, AnInputIsCopiedOnceForEveryFurtherNode) {
  const Whole model;
  const double two = model.on(2, GetParam()).exchanged.inputs;
  const double four = model.on(4, GetParam()).exchanged.inputs;
  EXPECT_GT(two, 0);
  // A whole expert's hidden values go to one node only.
  EXPECT_NEAR(four, 3 * two, GetParam() == NumaPolicy::kWhole ? 0.1 * four : 1);
}

TEST(NumaPlanWhole, PlacesAndChoosesByCounts) {
  const Whole model;
  // Two experts of each layer are used all the time: together on one node, or apart.
  ExpertCounts counts(61);
  for (std::size_t layer = 3; layer < 61; ++layer) {
    counts[layer].assign(256, 0);
    counts[layer][4] = counts[layer][8] = 1000000;
  }
  const NumaEstimate by_use = model.on(2, NumaPolicy::kWhole, counts);
  EXPECT_TRUE(by_use.placement.by_use);
  const NumaEstimate in_turn = model.on(2, NumaPolicy::kWhole);
  EXPECT_FALSE(in_turn.placement.by_use);
  EXPECT_LT(by_use.busiest_share, in_turn.busiest_share);
}

}  // namespace
}  // namespace model
}  // namespace leyden
