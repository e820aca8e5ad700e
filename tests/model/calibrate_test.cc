#include "src/calibrate.h"

#include <gtest/gtest.h>

#include <numeric>

#include "formats/model_config.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

constexpr const char* kModel = "v32-tiny-fp8";

Calibration calibration_of(const std::string& weights, int threads, const Documents& documents) {
  EngineOptions options;
  options.weights = weights;
  options.threads = threads;
  options.prefill_chunk = 16;
  return calibrate(Engine::load(model::golden_checkpoint(kModel), options), documents);
}

TEST(CalibrateTest, SeesEveryProductOfEveryTokenOnce) {
  const Documents documents = {model::Golden(kModel).tokens, {0, 5, 9}};
  const auto n_tokens = static_cast<std::int64_t>(documents[0].size() + documents[1].size());
  const Calibration calibration = calibration_of("f32", 2, documents);
  const formats::ModelConfig config =
      formats::Checkpoint::open(model::golden_checkpoint(kModel))->config();
  std::size_t n_stacks = 0;
  for (const auto& [name, energy] : calibration.tensors()) {
    const std::int64_t seen =
        std::accumulate(energy.tokens.begin(), energy.tokens.end(), std::int64_t{0});
    if (name.find(".experts.") != std::string::npos) {
      ++n_stacks;
      EXPECT_EQ(energy.count, config.n_routed_experts);
      EXPECT_EQ(seen, n_tokens * config.num_experts_per_tok) << name;
    } else if (name.find(".indexer.head_weights") == std::string::npos) {
      EXPECT_EQ(seen, n_tokens) << name;
    }
  }
  EXPECT_EQ(n_stacks,
            2u * static_cast<std::size_t>(config.num_hidden_layers - config.first_k_dense_replace));
  EXPECT_FALSE(calibration.tensors().contains("layers.0.attn.k_b"));
  EXPECT_FALSE(calibration.tensors().contains("layers.1.experts.up"));

  // The input of the first projections is an RMSNorm's output times its weights.
  const auto checkpoint = formats::Checkpoint::open(model::golden_checkpoint(kModel));
  const formats::CheckpointTensor& norm =
      *checkpoint->find("model.layers.0.input_layernorm.weight");
  std::vector<float> weight(static_cast<std::size_t>(norm.cols()));
  checkpoint->read_rows_f32(norm, 0, 1, weight.data());
  const ColumnEnergy& energy = calibration.tensors().at("layers.0.attn.q_a");
  double mean = 0;
  for (std::size_t c = 0; c < weight.size(); ++c) {
    mean += energy.mean_square[c] / (double{weight[c]} * weight[c]);
  }
  EXPECT_NEAR(mean / static_cast<double>(weight.size()), 1, 0.01);
}

TEST(CalibrateTest, ThreadsDontMatterAndWeightFormatsHardly) {
  const Documents documents = {model::Golden(kModel).tokens};
  const Calibration one = calibration_of("int8", 1, documents);
  EXPECT_EQ(one.fingerprint(), calibration_of("int8", 2, documents).fingerprint());
  const Calibration floats = calibration_of("f32", 2, documents);
  const auto& exact = floats.tensors().at("layers.1.attn.o");
  const auto& rounded = one.tensors().at("layers.1.attn.o");
  const Calibration halves = calibration_of("bf16", 2, documents);
  const auto sum = [](const std::vector<float>& all) {
    return std::accumulate(all.begin(), all.end(), 0.0);
  };
  EXPECT_NEAR(sum(rounded.mean_square) / sum(exact.mean_square), 1, 0.05);
  EXPECT_NEAR(sum(halves.tensors().at("layers.1.attn.o").mean_square) / sum(exact.mean_square), 1,
              0.05);
}

TEST(CalibrateTest, ExpertsThatNoTokenReachedAreNamed) {
  const Calibration calibration = calibration_of("f32", 2, {{0}});
  EXPECT_GT(calibration.unreached().at("layers.1.experts.gate"), 0);
}

}  // namespace
}  // namespace leyden
