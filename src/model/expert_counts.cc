#include "src/model/expert_counts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "formats/json_field.h"
#include "formats/load_error.h"

namespace leyden::model {

std::string to_json(const ExpertCounts& counts) {
  return nlohmann::json{{"experts", counts}}.dump() + "\n";
}

ExpertCounts parse_expert_counts(std::string_view json, const formats::ModelConfig& config,
                                 const std::string& file) {
  const formats::Json document = formats::parse_json(json, file);
  const formats::JsonField layers = formats::JsonField(document, file).at("experts");
  const auto refuse = [&](const std::string& what) { throw formats::LoadError(file, what); };
  if (layers.size() != static_cast<std::size_t>(config.num_hidden_layers)) {
    refuse(fmt::format("field 'experts' has {} layers, the model has {}", layers.size(),
                       config.num_hidden_layers));
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 52;
  ExpertCounts counts(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const formats::JsonField layer = layers.element(i);
    const int expected = config.is_moe_layer(static_cast<int>(i)) ? config.n_routed_experts : 0;
    if (layer.size() != static_cast<std::size_t>(expected)) {
      refuse(fmt::format("field '{}' has {} experts, the model has {}", layer.path(), layer.size(),
                         expected));
    }
    for (std::size_t e = 0; e < layer.size(); ++e) {
      counts[i].push_back(layer.element(e).as_integer(0, kMost));
    }
  }
  return counts;
}

}  // namespace leyden::model
