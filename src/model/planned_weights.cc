#include "src/model/planned_weights.h"

#include <vector>

#include "src/model/placed_tensor.h"

namespace leyden::model {

PlannedWeights::PlannedWeights(const formats::ModelConfig& config,
                               std::span<const quant::TensorSpec> specs, const Placement* placement,
                               const std::string& file) {
  const std::vector<std::byte*> nowhere(placement != nullptr ? placement->arena_bytes.size() : 0);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    table_[specs[i].name] = placement != nullptr
                                ? tensor_at(specs[i], placement->tensors[i], nowhere)
                                : tensor_at(specs[i], nullptr);
  }
  weights_ = bind_weights(config, table_, file);
}

}  // namespace leyden::model
