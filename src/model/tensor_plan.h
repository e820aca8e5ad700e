#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/model_config.h"
#include "quant/tensor_spec.h"

namespace leyden::model {

/// Where the matrices of a tensor come from in an original checkpoint (NUMERICS 1.1 to 1.3).
struct TensorSource {
  std::string name;  // Hugging Face name; "{}" stands for the index of the matrix in its stack
  std::int64_t rows = 0, cols = 0;  // shape of that tensor; a vector is [1, cols]
  std::int64_t first_row = 0;       // rows of matrix i start at first_row + i * row_step
  std::int64_t row_step = 0;
  bool transposed = false;  // the matrix is the transpose of those rows

  std::string name_of(std::int64_t matrix) const;
};

/// One tensor that a model of some config consists of, but for its format, which a recipe chooses.
struct PlannedTensor {
  std::string name;  // leyden's name: "layers.3.experts.gate"
  quant::Layout layout = quant::Layout::kTiles;
  std::int64_t count = 1, rows = 0, cols = 0;
  TensorSource source;
};

/// Every tensor of a model, in the order in which decoding reads them. The only place that knows
/// both leyden's names and the Hugging Face ones; conversion, loading and binding follow it.
/// The MTP layers are not among them: nothing here decodes with them.
std::vector<PlannedTensor> plan_tensors(const formats::ModelConfig& config);

/// The tensors of the multi-token-prediction layers that follow the others
/// ("layers.61.mtp.eh_proj", and those of an ordinary layer). Containers keep them for later;
/// checkpoints may lack a layer, or its embedding and head.
std::vector<PlannedTensor> plan_mtp_tensors(const formats::ModelConfig& config);

}  // namespace leyden::model
