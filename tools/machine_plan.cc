#include "tools/machine_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "formats/recipe_file.h"
#include "src/convert.h"
#include "src/engine_impl.h"
#include "src/load_model.h"
#include "src/memory_plan.h"
#include "src/model/planned_weights.h"
#include "src/model/synthetic.h"
#include "src/model/tensor_check.h"
#include "src/weight_placement.h"
#include "tools/units.h"

namespace leyden::tools {
namespace {

using model::NumaPolicy;
using nlohmann::json;

json report_fit(const PlanOptions& options, const PlannedModel& plan, const runtime::Crew& crew,
                std::FILE* out) {
  const model::Placement placement =
      preferred_placement(plan.specs, options.engine, plan.counts, crew);
  const model::PlannedWeights weights(plan.config, plan.specs, &placement, options.model);
  MemoryPlan needs =
      plan_memory(plan.config, *weights, placement.total_bytes(), options.engine, crew);
  fmt::print(out, "{}: weights {:.3f} GB, cache of {} tokens {:.3f} GB, buffers {:.3f} GB\n",
             options.model, gigabytes(static_cast<double>(needs.weights)), needs.context,
             gigabytes(static_cast<double>(needs.cache)),
             gigabytes(static_cast<double>(needs.buffers)));
  json report = {{"weight_bytes", needs.weights},
                 {"cache_bytes", needs.cache},
                 {"buffer_bytes", needs.buffers},
                 {"context", needs.context}};
  try {
    if (options.engine.mmap) {
      needs.weights = 0;
      require_memory(needs, options.model);
      report["fits"] = true;
      fmt::print(out, "  fits: the weights are mapped and need no memory of their own\n");
      return report;
    }
    const model::WeightMemory memory =
        place_weights(plan.specs, plan.config, options.engine, plan.counts, crew, options.model);
    report["fits"] = true;
    report["policy"] = name(memory.placement.policy);
    for (std::size_t k = 0; k < memory.homes.size(); ++k) {
      const auto arena = static_cast<double>(memory.placement.arena_bytes[k]);
      const std::string where = memory.homes[k].nodes.empty()
                                    ? "this machine"
                                    : fmt::format("node {}", fmt::join(memory.homes[k].nodes, ","));
      fmt::print(out, "  fits: {:.3f} GB of weights on {}\n", gigabytes(arena), where);
      report["arenas"].push_back({{"nodes", memory.homes[k].nodes}, {"bytes", arena}});
    }
  } catch (const std::runtime_error& error) {
    report["fits"] = false;
    report["problem"] = error.what();
    fmt::print(out, "  {}\n", error.what());
  }
  return report;
}

json report_estimates(const PlanOptions& options, const PlannedModel& plan, std::int64_t context,
                      NodeRates rates, bool assumed, std::FILE* out) {
  fmt::print(out,
             "decoding with {} tokens in the cache, by the placement this program would make,\n",
             context);
  if (rates.local > 0) {
    fmt::print(
        out,
        "on nodes that read {:.1f} GB/s of their own and {:.1f} GB/s of other memory{};\n"
        "calculated: as if reading were all that takes time\n",
        rates.local, rates.remote,
        assumed ? " (the latter assumed: half; the former measured here)" : " (measured here)");
  } else {
    fmt::print(out,
               "calculated; how fast nodes read wasn't measured, so neither is there a speed\n");
  }
  if (!plan.counts.empty()) {
    fmt::print(out, "experts spread by how often they are used, and chosen as often\n");
  }
  fmt::print(out, "{:>5}  {:<11} {:>13} {:>13} {:>14} {:>13} {:>13} {:>9}\n", "nodes", "policy",
             "largest node", "local/token", "remote/token", "activations", "busiest node",
             "tokens/s");
  const model::Attention::Settings attention = attention_settings(options.engine);
  json rows = json::array();
  for (const int n : {1, 2, 4, 8}) {
    const std::vector<int> workers(static_cast<std::size_t>(n), 1);
    for (const NumaPolicy policy :
         {NumaPolicy::kSplit, NumaPolicy::kWhole, NumaPolicy::kInterleave}) {
      if (n == 1 && policy != NumaPolicy::kSplit) continue;
      const NumaEstimate e = estimate_decoding(plan.config, plan.specs, policy, workers, attention,
                                               context, rates, plan.counts);
      // Interleaved pages are one arena that all nodes share.
      const double arena = policy == NumaPolicy::kInterleave
                               ? static_cast<double>(e.placement.total_bytes()) / n
                               : static_cast<double>(std::ranges::max(e.placement.arena_bytes));
      fmt::print(out,
                 "{:>5}  {:<11} {:>10.3f} GB {:>10.3f} GB {:>11.3f} GB {:>10.3f} GB {:>12.1f}% "
                 "{:>9}\n",
                 n, name(policy), gigabytes(arena), gigabytes(e.local_bytes),
                 gigabytes(e.remote_bytes), gigabytes(e.exchanged.total()), 100 * e.busiest_share,
                 rates.local > 0 ? fmt::format("{:.2f}", e.tokens_per_second) : "unknown");
      rows.push_back({{"nodes", n},
                      {"policy", name(policy)},
                      {"largest_node_bytes", arena},
                      {"local_bytes_per_token", e.local_bytes},
                      {"remote_bytes_per_token", e.remote_bytes},
                      {"activations_per_token",
                       {{"inputs", e.exchanged.inputs},
                        {"outputs", e.exchanged.outputs},
                        {"partials", e.exchanged.partials}}},
                      {"experts_by_use", e.placement.by_use},
                      {"busiest_share", e.busiest_share},
                      {"tokens_per_second", rates.local > 0 ? json(e.tokens_per_second) : json()}});
    }
  }
  return rows;
}

}  // namespace

PlannedModel read_plan(const PlanOptions& options) {
  const std::string& model = options.model;
  const auto recipe = [&](const char* fallback) {
    const std::string& name = options.engine.weights;
    return formats::load_recipe(name.empty() ? fallback : name);
  };
  if (model == "v3.2" || model == "v3" || model == "lite") {
    // One dense layer in the smallest, three in the others, as published.
    const bool lite = model == "lite";
    PlannedModel plan;
    plan.config = model::synthetic_config(model, lite ? 1 : 3, lite ? 26 : 58);
    plan.specs = model::synthetic_specs(plan.config, recipe("int4"));
    plan.counts = expert_counts(plan.config, options.engine);
    check_options(options.engine, plan.config, model);
    return plan;
  }
  if (formats::is_container(model)) {
    const formats::ContainerReader container(model);
    check_options(options.engine, container);
    return {container.config(),
            model::checked_tensors(container),
            expert_counts(container, options.engine),
            {model}};
  }
  const auto checkpoint = formats::Checkpoint::open(model);
  check_options(options.engine, *checkpoint);
  const ConversionPlan plan = plan_conversion(*checkpoint, recipe("int8"));
  const auto specs = plan.model_tensors();
  return {checkpoint->config(),
          {specs.begin(), specs.end()},
          expert_counts(checkpoint->config(), options.engine),
          checkpoint->files()};
}

std::optional<NumaPolicy> report_plan(const PlanOptions& options, const PlannedModel& plan,
                                      const runtime::Crew& crew, NodeRates rates, std::FILE* out,
                                      json& document) {
  json report = report_fit(options, plan, crew, out);
  const bool assumed = rates.remote == 0;
  if (assumed) rates.remote = rates.local / 2;
  report["model"] = options.model;
  report["local_gb_per_second"] = rates.local;
  report["remote_gb_per_second"] = rates.remote;
  report["remote_is_assumed"] = assumed;
  report["estimates"] =
      report_estimates(options, plan, report["context"].get<std::int64_t>(), rates, assumed, out);
  document["plan"] = report;
  return model::numa_policy_named(report.value("policy", ""));
}

std::string division(const EngineOptions& options, const runtime::Crew& crew, std::size_t n_nodes,
                     std::optional<NumaPolicy> planned) {
  if (n_nodes <= 1) return "one node, nothing to divide";
  if (options.mmap) return "mapped weights, not placed";
  const NumaPolicy policy = planned.value_or(static_cast<NumaPolicy>(options.numa));
  if (policy == NumaPolicy::kInterleave) return std::string(name(policy));
  const bool divides = crew.n_nodes() > 1;
  if (policy != NumaPolicy::kAuto) {
    return divides ? std::string(name(policy)) : "all weights on the threads' node";
  }
  return fmt::format("{} where that fits, otherwise interleave",
                     divides ? "split" : "all weights on the threads' node");
}

}  // namespace leyden::tools
