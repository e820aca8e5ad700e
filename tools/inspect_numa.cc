#include "tools/inspect_numa.h"

#include <fmt/format.h>

#include "src/engine_impl.h"
#include "src/placement_proof.h"
#include "src/runtime/sightings.h"

namespace leyden::tools {
namespace {

using nlohmann::json;
using runtime::MemoryHome;

std::string kind_name(MemoryHome::Kind kind) {
  switch (kind) {
    case MemoryHome::Kind::kFirstTouch:
      return "anywhere";
    case MemoryHome::Kind::kOn:
    case MemoryHome::Kind::kNear:
      return "on node";
    case MemoryHome::Kind::kInterleave:
      return "in turn on";
  }
  return "?";
}

json report_arena(std::FILE* out, const ArenaProof& arena) {
  std::vector<std::string> found;
  json pages = json::object();
  for (const auto& [node, n] : arena.found.on_node) {
    found.push_back(fmt::format("node {}: {}", node, n));
    pages[std::to_string(node)] = n;
  }
  if (arena.found.unknown > 0) found.push_back(fmt::format("unknown: {}", arena.found.unknown));
  fmt::print(out, "  {:<16} {:>10.3f} GB  {:>3.0f} % huge pages, of those sampled {}\n",
             fmt::format("{} {}", kind_name(arena.home.kind), fmt::join(arena.home.nodes, ",")),
             static_cast<double>(arena.bytes) / 1e9,
             arena.bytes == 0
                 ? 0.0
                 : 100 * static_cast<double>(arena.huge_bytes) / static_cast<double>(arena.bytes),
             fmt::join(found, ", "));
  if (!arena.reason.empty()) {
    fmt::print(out, "  {:<16} {:.1f} % don't lie as planned: {}\n", "", 100 * arena.misplaced,
               arena.reason);
  }
  return {{"planned", kind_name(arena.home.kind)},
          {"nodes", arena.home.nodes},
          {"bytes", arena.bytes},
          {"huge_bytes", arena.huge_bytes},
          {"sampled_pages", pages},
          {"unknown_pages", arena.found.unknown},
          {"misplaced", arena.misplaced},
          {"reason", arena.reason}};
}

}  // namespace

int inspect_numa(const ModelOptions& options, std::FILE* out, json& document) {
  const auto engine = load_engine(options);
  const Engine::Impl& impl = engine->impl();
  const runtime::Crew& crew = impl.team->crew();
  json report = {{"policy", name(impl.model->placement.policy)}, {"crew_nodes", crew.nodes}};

  bool as_planned = true;
  if (impl.model->arenas.empty()) {
    fmt::print(out, "weights: mapped from the file, wherever the page cache has them\n");
  } else {
    fmt::print(out, "weights, --numa {}:\n", name(impl.model->placement.policy));
  }
  for (const ArenaProof& arena : prove_placement(*impl.model)) {
    report["arenas"].push_back(report_arena(out, arena));
    as_planned = as_planned && arena.reason.empty();
  }

  const runtime::ThreadBinding bound = impl.team->bind_caller();
  fmt::print(out, "threads:\n");
  for (const runtime::Sighting& seen : runtime::see_workers(*impl.team)) {
    const int node = crew.nodes[static_cast<std::size_t>(
        crew.workers[static_cast<std::size_t>(seen.worker)].node)];
    fmt::print(out, "  {:>3} of node {}: planned CPU {}, seen on {}\n", seen.worker, node,
               seen.planned_cpu, seen.cpu);
    report["threads"].push_back(
        {{"node", node}, {"planned_cpu", seen.planned_cpu}, {"seen_cpu", seen.cpu}});
    as_planned = as_planned && (seen.planned_cpu < 0 || seen.planned_cpu == seen.cpu);
  }
  report["as_planned"] = as_planned;
  document["numa"] = report;
  return as_planned ? 0 : 1;
}

}  // namespace leyden::tools
