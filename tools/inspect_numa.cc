#include "tools/inspect_numa.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/engine_impl.h"
#include "src/placement_proof.h"
#include "src/runtime/sightings.h"
#include "src/session.h"

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

std::string huge_share(const PlacementProof& arena) {
  if (!arena.huge_bytes) return "";
  const double share =
      arena.bytes == 0 ? 0
                       : static_cast<double>(*arena.huge_bytes) / static_cast<double>(arena.bytes);
  return fmt::format("{:>3.0f} % in huge pages, ", 100 * share);
}

json report_proof(std::FILE* out, const PlacementProof& arena) {
  std::vector<std::string> found;
  json pages = json::object();
  for (const auto& [node, n] : arena.found.on_node) {
    found.push_back(fmt::format("node {}: {}", node, n));
    pages[std::to_string(node)] = n;
  }
  if (arena.found.unknown > 0) found.push_back(fmt::format("unknown: {}", arena.found.unknown));
  fmt::print(out, "  {:<16} {:>10.3f} GB  {}pages sampled on {}\n",
             fmt::format("{} {}", kind_name(arena.home.kind), fmt::join(arena.home.nodes, ",")),
             static_cast<double>(arena.bytes) / 1e9, huge_share(arena), fmt::join(found, ", "));
  if (!arena.reason.empty()) {
    fmt::print(out, "  {:<16} {:.1f} % don't lie as planned: {}\n", "", 100 * arena.misplaced,
               arena.reason);
  }
  return {{"planned", kind_name(arena.home.kind)},
          {"nodes", arena.home.nodes},
          {"bytes", arena.bytes},
          {"huge_bytes", arena.huge_bytes ? json(*arena.huge_bytes) : json()},
          {"sampled_pages", pages},
          {"unknown_pages", arena.found.unknown},
          {"misplaced", arena.misplaced},
          {"reason", arena.reason}};
}

constexpr std::int32_t kTurnTokens = model::KvCache::kRunPages * model::KvCache::kPageTokens;

/// A turn of pages for every node, if the context is that long.
void fill_cache(Session& session, int n_nodes) {
  const std::int64_t wanted = std::int64_t{n_nodes} * kTurnTokens;
  session.append_noise(
      static_cast<std::int32_t>(std::min<std::int64_t>(wanted, session.capacity())));
}

}  // namespace

int inspect_numa(const ModelOptions& options, std::FILE* out, json& document) {
  const auto engine = load_engine(options);
  const Engine::Impl& impl = engine->impl();
  const runtime::Crew& crew = impl.team->crew();
  const model::Placement& placement = impl.model->placement;
  json report = {{"policy", name(placement.policy)},
                 {"experts_by_use", placement.by_use},
                 {"crew_nodes", crew.nodes}};

  bool as_planned = true;
  const auto add = [&](const char* kind, const PlacementProof& proof) {
    report[kind].push_back(report_proof(out, proof));
    as_planned = as_planned && proof.reason.empty();
  };
  if (impl.model->arenas.empty()) {
    fmt::print(out, "weights: mapped from the file, wherever the page cache has them\n");
  } else {
    fmt::print(out, "weights, --numa {}{}:\n", name(placement.policy),
               placement.by_use ? ", experts spread by how often they are used" : "");
  }
  std::size_t arenas = 0;
  for (const PlacementProof& arena : prove_placement(*impl.model)) {
    add("arenas", arena);
    // Unless all threads read all arenas, those of the crew's k-th node read the k-th.
    const std::vector<int> readers = {crew.nodes[arenas++]};
    if (arena.home.kind != MemoryHome::Kind::kOn || arena.home.nodes == readers) continue;
    fmt::print(out, "  its threads are on node {}\n", readers.front());
    as_planned = false;
  }

  if (!crew.nodes_to_share().empty()) {
    Session session(engine);
    fill_cache(session, crew.n_nodes());
    fmt::print(out, "cache of {} tokens, in turns of {}:\n", session.position(), kTurnTokens);
    for (const PlacementProof& node : prove_cache(session.cache())) add("cache", node);
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
