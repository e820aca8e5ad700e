// Any bytes as config.json, generation_config.json, a recipe or counts of experts.
#include "formats/json.h"
#include "formats/model_config.h"
#include "formats/recipe_file.h"
#include "src/model/expert_counts.h"
#include "src/model/tensor_plan.h"
#include "src/text/generation_config.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

namespace {

const formats::ModelConfig& tiny() {
  static const formats::ModelConfig config = formats::parse_model_config(
      formats::read_text_file(LEYDEN_TEST_DATA "/oracle/checkpoints/v32-tiny-bf16/config.json"),
      "config.json");
  return config;
}

}  // namespace

FUZZ_TARGET(config) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepts([&] {
    const formats::ModelConfig config = formats::parse_model_config(text, "config.json");
    const formats::ModelConfig again =
        formats::parse_model_config(formats::to_json(config), "written");
    fuzz::must(again == config, "a config written is read back the same");
    constexpr int kManyLayers = 256;
    if (config.num_hidden_layers <= kManyLayers) model::plan_tensors(config);
  });
  fuzz::accepts([&] { text::parse_generation_config(text, "generation_config.json"); });
  fuzz::accepts([&] { formats::parse_recipe(text, "recipe.json"); });
  fuzz::accepts([&] {
    const model::ExpertCounts counts = model::parse_expert_counts(text, tiny(), "counts.json");
    const std::string written = model::to_json(counts);
    fuzz::must(model::parse_expert_counts(written, tiny(), "written") == counts,
               "counts written are read back the same");
  });
  return 0;
}
