#include "src/model/layer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "tests/formats/gguf_text.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::GgufText;
using leyden::fixtures::kGgufModels;
using leyden::fixtures::refusal_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A golden model, to be changed.
class LayerCheckTest : public ::testing::Test {
 protected:
  /// What the check says of a model whose config, and the text of whose weights' header, are
  /// changed. `replace`: of that text's parts, by others that are no longer.
  template <typename Change>
  std::string refusal_with(const std::string& model, const Change& change,
                           const std::vector<std::pair<std::string, std::string>>& replace = {}) {
    const leyden::fixtures::TempDirectory dir;
    for (const auto& entry : fs::directory_iterator(golden_checkpoint(model))) {
      fs::copy(entry.path(), dir.path() / entry.path().filename());
    }
    formats::Json config = formats::read_json_file(dir.path() / "config.json");
    change(config);
    dir.write("config.json", config.dump());
    for (const auto& [from, to] : replace) {
      std::string bytes = formats::read_text_file(dir.path() / "model.safetensors");
      const std::size_t at = bytes.find(from);
      EXPECT_NE(at, bytes.npos) << from;
      if (at == bytes.npos) continue;
      bytes.replace(at, from.size(), to + std::string(from.size() - to.size(), ' '));
      dir.write("model.safetensors", bytes);
    }
    return refusal_of([&] { check_layers(*formats::Checkpoint::open(dir.path())); });
  }
  static void leave(formats::Json&) {}
};

TEST_F(LayerCheckTest, TheConfigMayFitTheWeights) {
  EXPECT_EQ(refusal_with("v2lite-tiny", leave), "");
  EXPECT_EQ(refusal_with("v3-tiny-bf16", leave), "");
  EXPECT_EQ(refusal_with("v32-tiny-fp8", leave), "");
}

TEST_F(LayerCheckTest, FewerLayersThanTheWeightsHaveAreRefusedThoughALayerMayPredictFurtherTokens) {
  const std::string said = refusal_with("v32-tiny-fp8", [](formats::Json& config) {
    config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 1;
    config["num_nextn_predict_layers"] = 1;
  });
  EXPECT_THAT(said, HasSubstr("num_hidden_layers is"));
}

TEST_F(LayerCheckTest, FewerLayersThanTheWeightsHaveAreRefused) {
  const std::string said = refusal_with("v2lite-tiny", [](formats::Json& config) {
    config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 1;
  });
  EXPECT_THAT(said,
              AllOf(HasSubstr("model.safetensors: tensor 'model.layers."),
                    HasSubstr(".input_layernorm.weight'"), HasSubstr("num_hidden_layers is")));
}

TEST_F(LayerCheckTest, ALayerThatPredictsFurtherTokensIsNoneOfTheOthers) {
  const std::string said = refusal_with("v3-tiny-bf16", [](formats::Json& config) {
    config["num_hidden_layers"] = 3;
    config["num_nextn_predict_layers"] = 0;
  });
  EXPECT_THAT(said, AllOf(HasSubstr("model.safetensors: tensor 'model.layers.2.eh_proj.weight'"),
                          HasSubstr("its num_hidden_layers is 3, its num_nextn_predict_layers 0")));

  const leyden::fixtures::TempDirectory dir;
  GgufText gguf = GgufText::of(formats::read_text_file(kGgufModels / "v32-small-mtp-q8_0.gguf"));
  gguf.erase("deepseek32.nextn_predict_layers");
  const fs::path path = dir.write("model.gguf", gguf.file());
  EXPECT_THAT(refusal_of([&] { check_layers(*formats::Checkpoint::open(path)); }),
              AllOf(HasSubstr("model.gguf: tensor 'model.layers."), HasSubstr(".eh_proj.weight'"),
                    HasSubstr("its num_nextn_predict_layers 0")));
}

TEST_F(LayerCheckTest, PartsThatTheConfigLeavesOutAreRefused) {
  EXPECT_THAT(refusal_with("v2lite-tiny", [](formats::Json& c) { c.erase("n_shared_experts"); }),
              AllOf(HasSubstr(".mlp.shared_experts.gate_proj.weight' at byte"),
                    HasSubstr("the config leaves out: its n_shared_experts is 0")));
  EXPECT_THAT(refusal_with("v3-tiny-bf16", [](auto& c) { c["topk_method"] = "greedy"; }),
              AllOf(HasSubstr(".mlp.gate.e_score_correction_bias' at byte"),
                    HasSubstr("the config leaves out: its topk_method is greedy")));
  EXPECT_THAT(refusal_with("v3-tiny-bf16", leave,
                           {{"self_attn.o_proj.weight\"", "self_attn.o_proj.bias\""}}),
              AllOf(HasSubstr(".self_attn.o_proj.bias' at byte"),
                    HasSubstr("the config leaves out: its attention_bias is false")));
  EXPECT_EQ(refusal_with("v3-tiny-bf16", leave,
                         {{"self_attn.o_proj.weight\"", "self_attn.inv_freq\""},
                          {"self_attn.q_b_proj.weight\"", "self_attn.indexer.bias\""}}),
            "");
}

TEST_F(LayerCheckTest, PartsThatTheKeysOfAGgufLeaveOutAreRefused) {
  const auto refusal_after = [](const auto& change) {
    const leyden::fixtures::TempDirectory dir;
    GgufText gguf = GgufText::of(formats::read_text_file(kGgufModels / "v32-small-q4_0.gguf"));
    change(gguf);
    const fs::path path = dir.write("model.gguf", gguf.file());
    return refusal_of([&] { check_layers(*formats::Checkpoint::open(path)); });
  };
  EXPECT_EQ(refusal_after([](GgufText&) {}), "");
  EXPECT_THAT(refusal_after([](GgufText& g) { g.erase("deepseek32.expert_shared_count"); }),
              AllOf(HasSubstr(".mlp.shared_experts.gate_proj.weight' at byte"),
                    HasSubstr("its n_shared_experts is 0")));
  EXPECT_THAT(refusal_after([](GgufText& g) {
                g.tensor("blk.1.attn_output.weight").name = "blk.1.attn_output.bias";
              }),
              AllOf(HasSubstr("'model.layers.1.self_attn.o_proj.bias' at byte"),
                    HasSubstr("its attention_bias is false")));
}

}  // namespace
}  // namespace leyden::model
