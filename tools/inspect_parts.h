#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/engine.h"
#include "src/model_costs.h"

/// The parts of `leyden inspect`. Each prints to `out`, adds the same to `document`, and gives the
/// exit code.
namespace leyden::tools {

struct InspectOptions {
  std::string path, json_file;
  bool tensors = false, verify = false;
  std::string numa;  // a policy: load the model and see where it lies
  EngineOptions engine;
};

int inspect_container(const InspectOptions& options, std::FILE* out, nlohmann::json& document);
int inspect_checkpoint(const InspectOptions& options, std::FILE* out, nlohmann::json& document);

/// What decoding reads and how much memory contexts need.
void report_costs(const ModelCosts& costs, std::FILE* out, nlohmann::json& document);

/// "[16, 128]".
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace leyden::tools
