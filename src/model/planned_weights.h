#pragma once

#include <span>
#include <string>

#include "formats/model_config.h"
#include "quant/tensor_spec.h"
#include "src/model/placement.h"
#include "src/model/weights.h"

namespace leyden::model {

/// The weights of tensors that are nowhere yet. They have shapes, formats and nodes, from which
/// costs and buffers follow, but no values.
class PlannedWeights {
 public:
  /// placement: of the specs; null: every tensor is in one piece. file: whose tensors they are.
  /// Errors: as bind_weights.
  PlannedWeights(const formats::ModelConfig& config, std::span<const quant::TensorSpec> specs,
                 const Placement* placement, const std::string& file);
  PlannedWeights(const PlannedWeights&) = delete;  // the weights point at the table
  PlannedWeights& operator=(const PlannedWeights&) = delete;

  const ModelWeights& operator*() const { return weights_; }

 private:
  TensorTable table_;
  ModelWeights weights_;
};

}  // namespace leyden::model
