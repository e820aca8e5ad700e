#include <gtest/gtest.h>

#include "formats/recipe_file.h"
#include "src/model/synthetic.h"
#include "src/recipes.h"
#include "tests/model/every_policy.h"
#include "tests/model/golden.h"
#include "tests/runtime/crew_of.h"

namespace leyden::model {
namespace {

LEYDEN_EVERY_POLICY(Numa);

// The rig (tests/numa) shows that pages and threads are where they should be; this, that dividing
// matrices and dealing out pieces by home changes nothing, for every kernel.
TEST_P(Numa, PlacementDoesntChangeABit) {
  const Golden golden("v32-tiny-fp8");
  const auto checkpoint = formats::Checkpoint::open(golden_checkpoint("v32-tiny-fp8"));
  const Attention::Settings settings = {
      AttentionMode::kAuto, MlaMode::kAuto, {simd::KvFormat::kBf16, simd::IndexFormat::kInt8}};
  for (const char* name : {"int4", "bf16"}) {
    const quant::Recipe recipe = formats::load_recipe(name);
    const FormatChooser choose = format_chooser(recipe, *checkpoint);
    runtime::ThreadTeam alone(1);
    const auto reference = load_whole(*checkpoint, choose, alone);
    const std::vector<float> expected = logits_of(*reference, settings, golden.tokens, 40, alone);

    const std::vector<quant::TensorSpec> specs = tensor_specs(checkpoint->config(), choose);
    for (const auto& sizes : {std::vector{1, 1}, std::vector{3, 1}, std::vector{1, 1, 1, 1}}) {
      runtime::ThreadTeam team(runtime::crew_of(sizes));
      WeightMemory memory;
      memory.placement = place_tensors(specs, GetParam(), sizes);
      memory.homes.resize(memory.placement.arena_bytes.size());
      const auto model = load_checkpoint(*checkpoint, name, choose, memory, team, {});
      for (const int chunk : {40, 1}) {
        EXPECT_EQ(logits_of(*model, settings, golden.tokens, chunk, team),
                  chunk == 40 ? expected : logits_of(*reference, settings, golden.tokens, 1, alone))
            << name << " on " << sizes.size() << " nodes, chunks of " << chunk;
      }
      // Other crews on the same weights: one that doesn't have all of their nodes, and one that
      // reads copies of all activations.
      EXPECT_EQ(logits_of(*model, settings, golden.tokens, 40, alone), expected);
      runtime::ThreadTeam beside(runtime::crew_beside());
      EXPECT_EQ(logits_of(*model, settings, golden.tokens, 40, beside), expected);
    }
  }
}

/// Dense attention to some thousand tokens of noise: chunks whose keys lie on several nodes.
std::vector<float> logits_after_noise(const LoadedModel& model, runtime::ThreadTeam& team) {
  constexpr std::int32_t kTokens = 2500;
  const Attention::Settings settings = {
      AttentionMode::kDense, MlaMode::kAbsorb, {simd::KvFormat::kBf16, simd::IndexFormat::kInt8}};
  KvCache cache(model.config, settings.cache, team.crew().nodes_to_share());
  cache.reserve(0, kTokens + 3);
  fill_cache(model.config, cache, 0, kTokens, team);
  Forward forward(model.config, model.weights, settings, 2, team);
  Profile profile;
  const auto vocab = static_cast<std::size_t>(model.config.vocab_size);
  std::vector<float> logits(3 * vocab);
  const std::vector<std::int32_t> tokens = {7, 11, 13};
  forward.run(std::span(tokens).first(1), kTokens, cache, 1, logits.data(), nullptr, profile);
  forward.run(std::span(tokens).subspan(1), kTokens + 1, cache, 2, logits.data() + vocab, nullptr,
              profile);
  return logits;
}

TEST(NumaCache, PagesOnSeveralNodesDontChangeABit) {
  runtime::ThreadTeam alone(1);
  const auto model = load_golden("v32-tiny-fp8", quant::WeightFormat::kInt8, alone);
  const std::vector<float> expected = logits_after_noise(*model, alone);
  for (const runtime::Crew& crew :
       {runtime::crew_of({1, 1}), runtime::crew_of({1, 2, 1}), runtime::crew_beside()}) {
    runtime::ThreadTeam team(crew);
    EXPECT_EQ(logits_after_noise(*model, team), expected) << crew.size() << " threads";
  }
}

}  // namespace
}  // namespace leyden::model
