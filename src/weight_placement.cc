#include "src/weight_placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "formats/json.h"
#include "src/memory_plan.h"
#include "src/model/planned_weights.h"
#include "src/runtime/cgroup.h"
#include "src/runtime/huge_page_state.h"
#include "src/runtime/topology.h"

namespace leyden {
namespace {

using model::NumaPolicy;
using runtime::MemoryHome;

std::vector<int> workers_by_node(const runtime::Crew& crew) {
  std::vector<int> workers;
  for (int k = 0; k < crew.n_nodes(); ++k) workers.push_back(crew.size_of(k));
  return workers;
}

/// What a node keeps for other purposes.
constexpr std::size_t kNodeReserve = std::size_t{32} << 20;

/// reserved_left: bytes of reserved huge pages on all nodes; less what is wanted if it lies there.
std::size_t available(const MemoryHome& home, std::size_t wanted, runtime::HugePages pages,
                      std::size_t& reserved_left) {
  std::size_t plain = 0, reserved = 0;
  for (const int node : home.nodes) {
    const runtime::NodeMemory memory = runtime::node_memory(node);
    plain += memory.available - std::min(memory.available, kNodeReserve);
    reserved += memory.free_huge_pages;
  }
  reserved = std::min(reserved, reserved_left);
  if (pages != runtime::HugePages::kHugetlb &&
      (pages != runtime::HugePages::kAuto || reserved < wanted)) {
    return plain;
  }
  reserved_left -= std::min(reserved, wanted);
  return reserved;
}

std::vector<MemoryHome> homes_for(NumaPolicy policy, const runtime::Crew& crew,
                                  const runtime::Topology& machine, const EngineOptions& options) {
  if (machine.nodes.size() == 1) return {MemoryHome{}};
  if (policy == NumaPolicy::kInterleave) {
    // A node without cores has memory to give as well, unless the user has chosen nodes.
    MemoryHome all = {MemoryHome::Kind::kInterleave, crew.nodes};
    if (options.nodes.empty()) {
      all.nodes.clear();
      for (const runtime::Node& node : machine.nodes) {
        if (node.bytes > 0) all.nodes.push_back(node.os_index);
      }
    }
    return {all};
  }
  std::vector<MemoryHome> homes;
  for (const int node : crew.nodes) homes.push_back({MemoryHome::Kind::kOn, {node}});
  return homes;
}

/// A table of what each arena needs and finds if one of them doesn't fit; otherwise empty.
std::string shortage(const model::WeightMemory& memory) {
  bool fits = true;
  std::size_t reserved_left = runtime::huge_page_state().free * runtime::kHugePage;
  std::string table = "  nodes        weights needed      available\n";
  for (std::size_t k = 0; k < memory.homes.size(); ++k) {
    const MemoryHome& home = memory.homes[k];
    if (home.kind == MemoryHome::Kind::kFirstTouch) return "";
    const std::size_t needed = memory.placement.arena_bytes[k];
    const std::size_t there = available(home, needed, memory.huge_pages, reserved_left);
    table += fmt::format("  {:<10} {:>13.3f} GB {:>11.3f} GB{}\n", fmt::join(home.nodes, ","),
                         static_cast<double>(needed) / 1e9, static_cast<double>(there) / 1e9,
                         there < needed ? "  too little" : "");
    fits = fits && there >= needed;
  }
  return fits ? "" : table;
}

/// Weights that reserved huge pages have room for need nothing of the memory that is left.
/// Errors: std::runtime_error saying how many are missing, where no others will do.
bool lies_in_reserved_pages(std::size_t bytes, runtime::HugePages pages,
                            const runtime::Topology& machine, const std::string& model) {
  if (pages != runtime::HugePages::kAuto && pages != runtime::HugePages::kHugetlb) return false;
  using runtime::kHugePage;
  const runtime::HugePageState state = runtime::huge_page_state();
  std::size_t reserved = 0;
  for (const runtime::Node& node : machine.nodes) {
    reserved += runtime::node_memory(node.os_index).free_huge_pages;
  }
  reserved = std::min<std::size_t>(reserved, state.free * kHugePage);
  if (pages == runtime::HugePages::kHugetlb && reserved < bytes) {
    const std::size_t needed = (bytes + kHugePage - 1) / kHugePage, free = reserved / kHugePage;
    const std::size_t all = state.reserved;
    if (const auto left = runtime::cgroup_huge_pages(); left && *left < bytes) {
      throw std::runtime_error(fmt::format(
          "{}: --huge-pages hugetlb needs {} huge pages of 2 MiB for the weights, but the cgroup's "
          "limit (hugetlb.2MB.max) leaves {}; --huge-pages auto needs none",
          model, needed, *left / kHugePage));
    }
    throw std::runtime_error(fmt::format(
        "{}: --huge-pages hugetlb needs {} huge pages of 2 MiB for the weights, but {} of the {} "
        "reserved ones are free; as root, sysctl vm.nr_hugepages={} reserves enough, and "
        "--huge-pages auto needs none",
        model, needed, free, all, all - std::min(free, all) + needed));
  }
  return reserved >= bytes;
}

}  // namespace

model::ExpertCounts expert_counts(const formats::ModelConfig& config,
                                  const EngineOptions& options) {
  if (options.routing_stats.empty()) return {};
  return model::parse_expert_counts(formats::read_text_file(options.routing_stats), config,
                                    options.routing_stats.string());
}

model::ExpertCounts expert_counts(const formats::ContainerReader& container,
                                  const EngineOptions& options) {
  if (!options.routing_stats.empty()) return expert_counts(container.config(), options);
  const std::optional<std::string> stored = container.blob(model::kExpertCountsBlob);
  if (!stored) return {};
  return model::parse_expert_counts(
      *stored, container.config(),
      fmt::format("{}: {}", container.name(), model::kExpertCountsBlob));
}

model::Placement preferred_placement(std::span<const quant::TensorSpec> specs,
                                     const EngineOptions& options,
                                     const model::ExpertCounts& counts, const runtime::Crew& crew) {
  const bool any = options.numa == NumaChoice::kAuto;
  return model::place_tensors(specs,
                              any ? NumaPolicy::kSplit : static_cast<NumaPolicy>(options.numa),
                              workers_by_node(crew), counts);
}

model::WeightMemory place_weights(std::span<const quant::TensorSpec> specs,
                                  const formats::ModelConfig& config, const EngineOptions& options,
                                  const model::ExpertCounts& counts, const runtime::Crew& crew,
                                  const std::string& model) {
  const runtime::Topology machine = runtime::read_topology();
  std::vector<NumaPolicy> policies = {static_cast<NumaPolicy>(options.numa)};
  if (options.numa == NumaChoice::kAuto) policies = {NumaPolicy::kSplit, NumaPolicy::kInterleave};
  std::string tables;
  for (const NumaPolicy policy : policies) {
    model::WeightMemory memory;
    memory.placement = model::place_tensors(specs, policy, workers_by_node(crew), counts);
    memory.homes = homes_for(policy, crew, machine, options);
    memory.huge_pages = static_cast<runtime::HugePages>(options.huge_pages);
    const std::size_t bytes = memory.placement.total_bytes();
    const bool reserved = lies_in_reserved_pages(bytes, memory.huge_pages, machine, model);
    const model::PlannedWeights weights(config, specs, &memory.placement, model);
    require_memory(plan_memory(config, *weights, reserved ? 0 : bytes, options, crew), model);
    const std::string table = shortage(memory);
    if (table.empty()) return memory;
    tables += fmt::format("--numa {}:\n{}", name(policy), table);
  }
  throw std::runtime_error(fmt::format(
      "{} doesn't fit into the memory of the NUMA nodes\n{}"
      "A smaller recipe, other --nodes, --numa interleave or, for a container, --mmap may help.",
      model, tables));
}

}  // namespace leyden
