#include "src/model/layer_count.h"

#include <fmt/format.h>

#include "formats/load_error.h"

namespace leyden::model {

void check_layer_count(const formats::Checkpoint& checkpoint) {
  const formats::ModelConfig& config = checkpoint.config();
  const int n = config.num_hidden_layers + config.num_nextn_predict_layers;
  const auto* norm = checkpoint.find(fmt::format("model.layers.{}.input_layernorm.weight", n));
  const auto* mtp = checkpoint.find(fmt::format("model.layers.{}.eh_proj.weight", n));
  if (norm == nullptr || mtp != nullptr) return;
  throw formats::LoadError(
      norm->file, fmt::format("tensor '{}' at byte {} is of a layer that the config doesn't have: "
                              "its num_hidden_layers is {}, num_nextn_predict_layers {}",
                              norm->name, norm->offset, config.num_hidden_layers,
                              config.num_nextn_predict_layers));
}

}  // namespace leyden::model
