#include "src/model/layer_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/json.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::refusal_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// What the check says of a golden model whose config is changed by `change`.
template <typename Change>
std::string refusal_with(const std::string& model, const Change& change) {
  const leyden::fixtures::TempDirectory dir;
  for (const auto& entry : fs::directory_iterator(golden_checkpoint(model))) {
    fs::copy(entry.path(), dir.path() / entry.path().filename());
  }
  formats::Json config = formats::read_json_file(dir.path() / "config.json");
  change(config);
  dir.write("config.json", config.dump());
  return refusal_of([&] { check_layer_count(*formats::Checkpoint::open(dir.path())); });
}

TEST(LayerCount, OfTheConfigMayBeThatOfTheWeights) {
  EXPECT_EQ(refusal_with("v2lite-tiny", [](auto&) {}), "");
  EXPECT_EQ(refusal_with("v32-tiny-fp8", [](auto&) {}), "");
}

TEST(LayerCount, BelowThatOfTheWeightsIsRefusedThoughALayerMayPredictFurtherTokens) {
  const std::string said = refusal_with("v32-tiny-fp8", [](formats::Json& config) {
    config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 1;
    config["num_nextn_predict_layers"] = 1;
  });
  EXPECT_THAT(said, HasSubstr("num_hidden_layers is"));
}

TEST(LayerCount, BelowThatOfTheWeightsIsRefused) {
  const std::string said = refusal_with("v2lite-tiny", [](formats::Json& config) {
    config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 1;
  });
  EXPECT_THAT(said,
              AllOf(HasSubstr("model.safetensors: tensor 'model.layers."),
                    HasSubstr(".input_layernorm.weight'"), HasSubstr("num_hidden_layers is")));
}

}  // namespace
}  // namespace leyden::model
