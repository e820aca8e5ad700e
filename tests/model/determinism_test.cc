#include "formats/recipe_file.h"
#include "src/model/synthetic.h"
#include "src/recipes.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

/// A model quantized by a recipe, and its logits under some way of computing them.
class Determinism : public testing::TestWithParam<const char*> {
 protected:
  Determinism()
      : checkpoint_(formats::Checkpoint::open(golden_checkpoint("v32-tiny-fp8"))),
        golden_("v32-tiny-fp8") {
    runtime::ThreadTeam team(2);
    const quant::Recipe recipe = formats::load_recipe(GetParam());
    model_ = load_whole(*checkpoint_, format_chooser(recipe, *checkpoint_), team);
  }

  std::vector<float> logits(MlaMode mla, int threads, int chunk) const {
    runtime::ThreadTeam team(threads);
    const CacheFormats cache = {simd::KvFormat::kBf16, simd::IndexFormat::kInt8};
    return logits_of(*model_, {AttentionMode::kAuto, mla, cache}, golden_.tokens, chunk, team);
  }

  std::unique_ptr<formats::Checkpoint> checkpoint_;
  Golden golden_;
  std::unique_ptr<LoadedModel> model_;
};

TEST_P(Determinism, ThreadsDontChangeABit) {
  for (const auto& [form, mla] : kMlaModes) {
    const std::vector<float> one = logits(mla, 1, 512);
    for (const int threads : {2, 3, 7}) {
      EXPECT_EQ(logits(mla, threads, 512), one) << form << " with " << threads << " threads";
    }
  }
}

TEST_P(Determinism, ChunksDontChangeABitWhenAbsorbed) {
  const std::vector<float> whole = logits(MlaMode::kAbsorb, 2, 512);
  for (const int chunk : {1, 7, 64}) {
    EXPECT_EQ(logits(MlaMode::kAbsorb, 2, chunk), whole) << "chunks of " << chunk;
    EXPECT_EQ(logits(MlaMode::kAbsorb, 3, chunk), whole) << "chunks of " << chunk;
  }
}

/// More threads than heads, and than a panel of queries at a time has; starting so many takes long.
class ManyThreads : public Determinism {};

TEST_P(ManyThreads, DontChangeABit) {
  for (const auto& [form, mla] : kMlaModes) {
    EXPECT_EQ(logits(mla, 70, 512), logits(mla, 1, 512)) << form;
  }
  // Some heads of a query each.
  EXPECT_EQ(logits(MlaMode::kAbsorb, 70, 30), logits(MlaMode::kAbsorb, 1, 30));
}

// Of the other models' few heads kernels take all at once; of these a thread may take half.
TEST(ManyThreadsAndHeads, DontChangeABit) {
  formats::ModelConfig config = synthetic_config("lite", 1, 0);
  config.hidden_size = config.intermediate_size = 128;
  config.vocab_size = 64;
  const quant::Recipe recipe = formats::load_recipe("int8");
  runtime::ThreadTeam one(1), many(100);
  const auto model =
      make_synthetic(config, recipe, one_arena(synthetic_specs(config, recipe)), one, {});
  const CacheFormats cache = {simd::KvFormat::kBf16, simd::IndexFormat::kInt8};
  const Attention::Settings settings = {AttentionMode::kAuto, MlaMode::kAbsorb, cache};
  std::vector<std::int32_t> tokens(320);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int>(i * i % 61);
  EXPECT_EQ(logits_of(*model, settings, tokens, 40, many),
            logits_of(*model, settings, tokens, 320, one));
}

INSTANTIATE_TEST_SUITE_P(Recipes, ManyThreads, testing::Values("int8"),
                         [](const auto& param) { return std::string(param.param); });
INSTANTIATE_TEST_SUITE_P(Recipes, Determinism, testing::Values("f32", "bf16", "int8", "int4"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace leyden::model
