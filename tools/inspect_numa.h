#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/model_options.h"

namespace leyden::tools {

/// Loads the model and reports where its weights, the pages of a cache and its threads are: a table
/// on `out`, the same as "numa" in `document`. Returns the exit status: 1 if something isn't where
/// it was planned to be.
int inspect_numa(const ModelOptions& options, std::FILE* out, nlohmann::json& document);

}  // namespace leyden::tools
