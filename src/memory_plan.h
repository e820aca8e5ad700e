#pragma once

#include <cstdint>
#include <string>

#include "formats/model_config.h"
#include "src/engine.h"
#include "src/model/weights.h"
#include "src/runtime/crew.h"

namespace leyden {

/// What a model and one session need, before anything of it is read.
struct MemoryPlan {
  std::uint64_t weights = 0;
  std::uint64_t cache = 0;  // of the context
  std::int64_t context = 0;
  std::uint64_t buffers = 0;  // of all sessions

  std::uint64_t total() const { return weights + cache + buffers; }
};

/// weights: or planned ones; weight_bytes: of all tensors, or 0 if they are mapped. The cache
/// counts for options.context, or for a first 4096 tokens if none was asked for (it grows page by
/// page); the buffers for the longest prompt that is computed together, and for every thread of the
/// crew.
MemoryPlan plan_memory(const formats::ModelConfig& config, const model::ModelWeights& weights,
                       std::uint64_t weight_bytes, const EngineOptions& options,
                       const runtime::Crew& crew);

/// Refuses a plan that the machine, the cgroup or ulimit has no room for, rather than letting the
/// kernel kill the program halfway. Errors: std::runtime_error with the table of what is needed and
/// what there is.
void require_memory(const MemoryPlan& plan, const std::string& model);

}  // namespace leyden
