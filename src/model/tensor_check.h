#pragma once

#include <span>
#include <string>
#include <vector>

#include "formats/container_reader.h"
#include "formats/model_config.h"
#include "quant/tensor_spec.h"
#include "src/model/placed_tensor.h"

namespace leyden::model {

/// Sees that `specs` are the tensors of the plan for `config` (tensor_plan.h), in any order: every
/// one is there with the planned layout and shape, and no other. Whatever counts on shapes comes
/// after this: placing tensors on nodes, estimating, binding.
/// Errors: LoadError naming `file`, the tensor, what was found and what was expected.
void check_tensors(const formats::ModelConfig& config, std::span<const quant::TensorSpec> specs,
                   const std::string& file);

/// The tensors of a container that inference reads, in its order, checked.
/// Errors: as check_tensors.
std::vector<quant::TensorSpec> checked_tensors(const formats::ContainerReader& container);

/// Sees that the levels of int4 matrices in memory are bytes of at most 127: with others the levels
/// of instructions would compute different sums (simd/layout.h).
/// Errors: LoadError naming `file`, tensor, matrix, position, what was found and expected.
void check_levels(const PlacedTensor& tensor, const std::string& file);

}  // namespace leyden::model
