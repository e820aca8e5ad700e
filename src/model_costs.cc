#include "src/model_costs.h"

#include "src/memory_plan.h"
#include "src/model/cost.h"
#include "src/model/planned_weights.h"
#include "src/runtime/topology.h"
#include "src/weight_placement.h"

namespace leyden {

ModelCosts model_costs(const formats::ModelConfig& config, std::span<const quant::TensorSpec> specs,
                       const std::string& source) {
  ModelCosts costs;
  for (const quant::TensorSpec& spec : specs) {
    costs.tensor_bytes += spec.bytes();
    costs.weights += static_cast<double>(spec.count) * static_cast<double>(spec.rows) *
                     static_cast<double>(spec.cols);
  }
  const runtime::Crew crew = runtime::plan_crew(runtime::read_topology(), {});
  const model::Placement placement = preferred_placement(specs, {}, {}, crew);
  const model::PlannedWeights weights(config, specs, &placement, source);
  const model::KvCache cache(config, {});
  costs.bytes_per_token =
      model::decode_cost(config, *weights, cache, true, config.max_position_embeddings)
          .weight_bytes;
  for (const std::int64_t context : {4096, 32768, 131072}) {
    if (context > config.max_position_embeddings) break;
    EngineOptions options;
    options.context = context;
    const MemoryPlan plan = plan_memory(config, *weights, placement.total_bytes(), options, crew);
    costs.memory.push_back({context, plan.cache, plan.total()});
  }
  return costs;
}

}  // namespace leyden
