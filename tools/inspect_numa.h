#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/model_options.h"

namespace leyden::tools {

/// Loads the model and reports where its weights and its threads are: a table on `out`, the same as
/// "numa" in `document`. Returns the exit status: 1 if weights don't lie as planned.
int inspect_numa(const ModelOptions& options, std::FILE* out, nlohmann::json& document);

}  // namespace leyden::tools
