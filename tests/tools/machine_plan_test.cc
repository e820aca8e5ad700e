#include "tools/machine_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/zero_container.h"
#include "tests/runtime/crew_of.h"

namespace leyden::tools {
namespace {

using quant::Layout;
using quant::TensorSpec;
using quant::WeightFormat;
using ::testing::HasSubstr;

const char* const kModel = "v32-tiny-bf16";

/// Plans for containers with experts that have been counted.
class MachinePlanTest : public ::testing::Test {
 protected:
  MachinePlanTest() : out_(std::tmpfile()) {}
  ~MachinePlanTest() override { std::fclose(out_); }

  std::string refusal() {
    const formats::ModelConfig config = model::golden_config(kModel);
    model::ExpertCounts counts;
    for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
      const int n = config.is_moe_layer(layer) ? config.n_routed_experts : 0;
      counts.emplace_back(static_cast<std::size_t>(n), 1);
    }
    model::write_zeros(path_, kModel, specs_, counts);
    return leyden::fixtures::refusal_of([&] { plan_of(path_.string()); });
  }

  nlohmann::json plan_of(const std::string& model) {
    nlohmann::json document;
    const PlanOptions options = {model, {}};
    report_plan(options, read_plan(options), runtime::crew_of({1}), {100, 50}, out_, document);
    return document["plan"];
  }

  leyden::fixtures::TempDirectory dir_;
  const std::filesystem::path path_ = dir_.path() / "model.leyden";
  std::vector<TensorSpec> specs_ = model::golden_tensors(kModel);
  std::FILE* out_;
};

TEST_F(MachinePlanTest, IsMadeForAContainer) { EXPECT_EQ(refusal(), ""); }

TEST_F(MachinePlanTest, RefusesMoreExpertsThanTheConfigHas) {
  std::ranges::find(specs_, "layers.1.experts.gate", &TensorSpec::name)->count = 500;
  EXPECT_THAT(refusal(), HasSubstr(path_.string() + ": tensor 'layers.1.experts.gate': shape is"));
}

TEST_F(MachinePlanTest, RefusesTensorsThatTheModelDoesntHave) {
  for (const char* name : {"layers.1.experts.zzz", "layers.-1.x"}) {
    specs_.push_back({name, Layout::kTiles, WeightFormat::kInt8, 500, 16, 128});
    EXPECT_THAT(refusal(), HasSubstr(path_.string() + ": tensor '" + name + "' of shape"));
    specs_.pop_back();
  }
}

TEST_F(MachinePlanTest, SaysWhatTheWeightsTakeWhereTheyArePlaced) {
  const nlohmann::json plan = plan_of("lite");
  EXPECT_EQ(plan["weight_bytes"], plan["estimates"][0]["largest_node_bytes"]);
}

TEST(Division, IsThePlansOrElseWhatTheOptionsAskFor) {
  using enum NumaChoice;
  const auto of = [](const std::vector<int>& crew, NumaChoice numa,
                     std::optional<model::NumaPolicy> planned = {}, bool mmap = false) {
    EngineOptions options;
    options.numa = numa;
    options.mmap = mmap;
    return division(options, runtime::crew_of(crew), 2, planned);
  };
  EXPECT_EQ(of({2, 2}, kAuto), "split where that fits, otherwise interleave");
  EXPECT_EQ(of({2, 2}, kAuto, model::NumaPolicy::kSplit), "split");
  EXPECT_EQ(of({2, 2}, kAuto, model::NumaPolicy::kInterleave), "interleave");
  EXPECT_EQ(of({2, 2}, kWhole), "whole");
  EXPECT_EQ(of({2, 2}, kInterleave), "interleave");
  EXPECT_EQ(of({2, 2}, kSplit, {}, true), "mapped weights, not placed");
  EXPECT_EQ(of({2}, kSplit), "all weights on the threads' node");
  EXPECT_EQ(of({2}, kInterleave), "interleave");
  EXPECT_EQ(division({}, runtime::crew_of({2}), 1, {}), "one node, nothing to divide");
}

}  // namespace
}  // namespace leyden::tools
