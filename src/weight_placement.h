#pragma once

#include <span>
#include <string>

#include "formats/container_reader.h"
#include "formats/model_config.h"
#include "src/engine.h"
#include "src/model/loaded_model.h"
#include "src/runtime/crew.h"

namespace leyden {

/// How often experts were chosen: from the file the options name, or none.
/// Errors: LoadError for a file of another model.
model::ExpertCounts expert_counts(const formats::ModelConfig& config, const EngineOptions& options);
/// The same, or else what the container brings.
model::ExpertCounts expert_counts(const formats::ContainerReader& container,
                                  const EngineOptions& options);

/// Where the weights lie best, whether or not there is room: as options.numa says, kAuto is split.
model::Placement preferred_placement(std::span<const quant::TensorSpec> specs,
                                     const EngineOptions& options,
                                     const model::ExpertCounts& counts, const runtime::Crew& crew);

/// Decides where the weights of a model shall lie, and refuses before anything is read what the
/// machine, a cgroup or a node has no room for, rather than letting the kernel kill the program
/// halfway.
///   one node in the machine    one arena, nothing bound
///   several                    by options.numa; kAuto is split if every node has room for its
///                              share, else interleave
/// Errors: std::runtime_error with the table of what is needed and what there is.
model::WeightMemory place_weights(std::span<const quant::TensorSpec> specs,
                                  const formats::ModelConfig& config, const EngineOptions& options,
                                  const model::ExpertCounts& counts, const runtime::Crew& crew,
                                  const std::string& model);

}  // namespace leyden
