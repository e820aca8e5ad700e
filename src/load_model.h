#pragma once

#include <filesystem>
#include <memory>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "src/engine.h"
#include "src/model/loaded_model.h"
#include "src/runtime/thread_team.h"

namespace leyden {

/// Refuse options that a model can't fulfil, or the file that it is in, before anything large is
/// read. source: whose config it is, as errors say.
/// Errors: std::runtime_error; LoadError if a compressed container is to be mapped.
void check_options(const EngineOptions& options, const formats::ModelConfig& config,
                   const std::string& source);
void check_options(const EngineOptions& options, const formats::ContainerReader& container);
void check_options(const EngineOptions& options, const formats::Checkpoint& checkpoint);

/// Loads whatever lies at `path`: a leyden container, or an original checkpoint that is quantized
/// on the way by the recipe options.weights names.
/// Errors: LoadError; std::runtime_error when options contradict the file.
std::unique_ptr<model::LoadedModel> load_model(const std::filesystem::path& path,
                                               const EngineOptions& options,
                                               runtime::ThreadTeam& team,
                                               const LoadProgress& progress);

}  // namespace leyden
