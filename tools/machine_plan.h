#pragma once

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "src/engine.h"
#include "src/numa_plan.h"
#include "src/runtime/crew.h"

namespace leyden::tools {

/// What `leyden machine --plan` is asked for.
struct PlanOptions {
  std::string model;  // a container, a checkpoint, or the whole v3.2, v3 or lite
  EngineOptions engine;
};

/// A model as it would be loaded, without its weights.
struct PlannedModel {
  formats::ModelConfig config;
  std::vector<quant::TensorSpec> specs;
  model::ExpertCounts counts;                // how often experts are used, if anybody has counted
  std::vector<std::filesystem::path> files;  // of the model itself
};

/// Errors: formats::LoadError, as Engine::load() has them.
PlannedModel read_plan(const PlanOptions& options);

/// Prints whether the planned model fits this machine and where it would lie, and what decoding
/// would read on machines of 1, 2, 4 and 8 such nodes; the same as "plan" in `document`. rates: of
/// a node of this machine; remote 0: not measurable here, half of local is assumed. Returns the
/// policy it would be placed by; none if it doesn't fit, or would be mapped.
std::optional<model::NumaPolicy> report_plan(const PlanOptions& options, const PlannedModel& plan,
                                             const runtime::Crew& crew, NodeRates rates,
                                             std::FILE* out, nlohmann::json& document);

/// How weights would be divided among n_nodes NUMA nodes with memory: by the policy that was
/// planned, or else by what the options say.
std::string division(const EngineOptions& options, const runtime::Crew& crew, std::size_t n_nodes,
                     std::optional<model::NumaPolicy> planned);

}  // namespace leyden::tools
