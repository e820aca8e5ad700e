#include "src/model/expert_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "formats/recipe_file.h"
#include "src/convert.h"
#include "src/evaluate.h"
#include "src/weight_placement.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

using leyden::fixtures::refusal_of;
using ::testing::HasSubstr;

constexpr const char* kModel = "v32-tiny-fp8";  // a dense layer, then two of 8 experts

TEST(ExpertCounts, CountEveryChoiceOfEveryTokenOnce) {
  const Golden golden(kModel);
  ExpertCounts expected(golden.json["experts"].size());
  for (std::size_t layer = 0; layer < expected.size(); ++layer) {
    const nlohmann::json& tokens = golden.json["experts"][layer];
    if (tokens.is_null()) continue;
    expected[layer].resize(8);
    for (const auto& chosen : tokens) {
      for (const std::size_t expert : chosen) expected[layer][expert] += 2;
    }
  }
  EngineOptions options;
  options.weights = "f32";
  options.kv_cache = KvCacheFormat::kF32;
  options.threads = 2;
  const auto engine = Engine::load(golden_checkpoint(kModel), options);
  EXPECT_EQ(count_experts(engine, {golden.tokens, golden.tokens}), expected);
}

TEST(ExpertCounts, OfAnotherModelOrWithoutMeaningAreRefused) {
  const formats::ModelConfig config =
      formats::Checkpoint::open(golden_checkpoint(kModel))->config();
  const std::string eight = "[1,2,3,4,5,6,7,8]";
  const auto problem = [&](const std::string& text) {
    return refusal_of([&] { parse_expert_counts(text, config, "stats"); });
  };
  EXPECT_EQ(problem("{\"experts\": [[], " + eight + ", " + eight + "]}"), "");
  EXPECT_THAT(problem("{\"experts\": [[], " + eight + "]}"),
              HasSubstr("2 layers, the model has 3"));
  EXPECT_THAT(problem("{\"experts\": [[], " + eight + ", [1]]}"),
              HasSubstr("1 experts, the model has 8"));
  EXPECT_THAT(problem("{\"experts\": [[7], " + eight + ", " + eight + "]}"),
              HasSubstr("1 experts, the model has 0"));
  for (const char* count : {"-1", "1e300", "0.5", "\"x\"", "99999999999999999999"}) {
    EXPECT_THAT(problem("{\"experts\": [[], " + eight + ", [" + count + ",2,3,4,5,6,7,8]]}"),
                HasSubstr("stats"))
        << count;
  }
  EXPECT_THAT(problem("[]"), HasSubstr("stats"));
}

TEST(ExpertCounts, StayInAContainerAndDecideWhereWholeExpertsGo) {
  const leyden::fixtures::TempDirectory dir;
  const auto checkpoint = formats::Checkpoint::open(golden_checkpoint(kModel));
  const quant::Recipe recipe = formats::load_recipe("int8");
  // Experts 0, 2, 4, 6, which would go to one node if they went in turn, are all that is used.
  const ExpertCounts counts = {{}, {9, 0, 9, 0, 9, 0, 9, 0}, {90, 1, 40, 1, 30, 1, 20, 1}};
  runtime::ThreadTeam team(1);
  const auto convert_with = [&](const std::string& name, const ExpertCounts& with) {
    ConvertOptions options;
    options.out = dir.path() / name;
    options.expert_counts = with;
    convert(*checkpoint, recipe, options, team, {});
    return formats::ContainerReader(options.out);
  };
  const auto plain = convert_with("plain.leyden", {}), counted = convert_with("c.leyden", counts);
  EXPECT_EQ(counted.fingerprint(), plain.fingerprint());
  EXPECT_EQ(expert_counts(plain, {}), ExpertCounts());
  EXPECT_EQ(expert_counts(counted, {}), counts);

  EngineOptions options;  // a file of one's own goes before what the container brings
  options.routing_stats = dir.path() / "stats.json";
  const ExpertCounts others = {{}, {1, 1, 1, 1, 1, 1, 1, 2}, {1, 1, 1, 1, 1, 1, 1, 3}};
  std::ofstream(options.routing_stats) << to_json(others);
  EXPECT_EQ(expert_counts(counted, options), others);

  std::vector<quant::TensorSpec> specs;
  for (const formats::StoredTensor& tensor : counted.tensors()) specs.push_back(tensor.spec);
  const auto place = [&](const ExpertCounts& by) {
    return place_tensors(specs, NumaPolicy::kWhole, std::vector{2, 2}, by);
  };
  const auto heaviest = [&](const Placement& placement, std::size_t layer) {
    const std::string name = "layers." + std::to_string(layer) + ".experts.gate";
    std::vector<std::int64_t> load(2), n(2);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].name != name) continue;
      for (std::size_t e = 0; e < 8; ++e) {
        const auto node = static_cast<std::size_t>(placement.tensors[i].node_of[e]);
        load[node] += counts[layer][e];
        ++n[node];
      }
    }
    EXPECT_EQ(n[0], n[1]);
    return std::max(load[0], load[1]);
  };
  const Placement in_turn = place({}), by_use = place(expert_counts(counted, {}));
  EXPECT_FALSE(in_turn.by_use);
  EXPECT_TRUE(by_use.by_use);
  EXPECT_EQ(heaviest(in_turn, 1), 36);
  EXPECT_EQ(heaviest(by_use, 1), 18);
  EXPECT_EQ(heaviest(in_turn, 2), 180);
  EXPECT_EQ(heaviest(by_use, 2), 93);  // 90 and the rare ones: 4 experts on each node
}

}  // namespace
}  // namespace leyden::model
