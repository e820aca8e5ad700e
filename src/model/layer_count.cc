#include "src/model/layer_count.h"

#include <fmt/format.h>

#include "formats/load_error.h"

namespace leyden::model {

void check_layer_count(const formats::Checkpoint& checkpoint) {
  const formats::ModelConfig& config = checkpoint.config();
  const int n_layers = config.num_hidden_layers;
  for (int layer = n_layers; layer <= n_layers + config.num_nextn_predict_layers; ++layer) {
    const auto* norm =
        checkpoint.find(fmt::format("model.layers.{}.input_layernorm.weight", layer));
    const auto* mtp = checkpoint.find(fmt::format("model.layers.{}.eh_proj.weight", layer));
    if (norm == nullptr || mtp != nullptr) continue;
    throw formats::LoadError(
        norm->file,
        fmt::format("tensor '{}' at byte {} is of a layer that the config doesn't have: its "
                    "num_hidden_layers is {}, and this layer predicts no further token (it has no "
                    "'model.layers.{}.eh_proj.weight')",
                    norm->name, norm->offset, n_layers, layer));
  }
}

}  // namespace leyden::model
