#pragma once

#include <filesystem>
#include <memory>

#include "src/engine.h"
#include "src/model/loaded_model.h"
#include "src/runtime/thread_team.h"

namespace leyden {

/// Loads whatever lies at `path`: a leyden container, or an original checkpoint that is quantized
/// on the way by the recipe options.weights names.
/// Errors: LoadError; std::runtime_error when options contradict the file.
std::unique_ptr<model::LoadedModel> load_model(const std::filesystem::path& path,
                                               const EngineOptions& options,
                                               runtime::ThreadTeam& team,
                                               const LoadProgress& progress);

}  // namespace leyden
