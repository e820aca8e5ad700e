#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/model_config.h"
#include "quant/tensor_spec.h"

namespace leyden {

/// What running a model costs, from the shapes and formats of its tensors.
struct ModelCosts {
  double weights = 0;              // parameters, as stored
  std::uint64_t tensor_bytes = 0;  // without the gaps before large ones in memory
  double bytes_per_token = 0;      // of weights, read to decode a token of a long text
  struct Memory {
    std::int64_t context;        // tokens
    std::uint64_t cache, total;  // bytes: bf16 latents and int8 index keys; with weights as they
                                 // are placed here, and buffers for as many threads as compute
  };
  std::vector<Memory> memory;  // for some contexts the model was made for
};

/// specs: the tensors inference reads; source: the file they are of.
/// Errors: LoadError naming it if a tensor is missing or has another shape.
ModelCosts model_costs(const formats::ModelConfig& config, std::span<const quant::TensorSpec> specs,
                       const std::string& source);

}  // namespace leyden
