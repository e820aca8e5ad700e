#include <gtest/gtest.h>

#include "formats/recipe_file.h"
#include "src/recipes.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

/// Threads on nodes this machine needn't have: they aren't bound, and memory is wherever it is.
runtime::Crew crew_of(std::vector<int> sizes) {
  runtime::Crew crew;
  for (int node = 0; node < static_cast<int>(sizes.size()); ++node) {
    crew.nodes.push_back(node);
    crew.workers.insert(crew.workers.end(),
                        static_cast<std::size_t>(sizes[static_cast<std::size_t>(node)]),
                        {node, -1});
  }
  return crew;
}

class Numa : public testing::TestWithParam<NumaPolicy> {};

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
      runtime::ThreadTeam team(crew_of(sizes));
      WeightMemory memory;
      memory.placement = place_tensors(specs, GetParam(), sizes);
      memory.homes.resize(memory.placement.arena_bytes.size());
      const auto model = load_checkpoint(*checkpoint, name, choose, memory, team, {});
      for (const int chunk : {40, 1}) {
        EXPECT_EQ(logits_of(*model, settings, golden.tokens, chunk, team),
                  chunk == 40 ? expected : logits_of(*reference, settings, golden.tokens, 1, alone))
            << name << " on " << sizes.size() << " nodes, chunks of " << chunk;
      }
      // Another crew on the same weights, which doesn't have all of their nodes.
      EXPECT_EQ(logits_of(*model, settings, golden.tokens, 40, alone), expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Numa,
                         testing::Values(NumaPolicy::kSplit, NumaPolicy::kWhole,
                                         NumaPolicy::kInterleave),
                         [](const auto& param) { return std::string(name(param.param)); });

}  // namespace
}  // namespace leyden::model
