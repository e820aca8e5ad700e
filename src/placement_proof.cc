#include "src/placement_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace leyden {
namespace {

using runtime::MemoryHome;

constexpr std::int64_t kSamples = 4096;  // per arena
constexpr double kTolerated = 0.01;
constexpr double kHugePage = 2 << 20;
/// A node with less than this to give counts as full.
constexpr std::size_t kFull = std::size_t{64} << 20;

/// Share of the pages on nodes that have more of them than planned. Interleaved pages are dealt out
/// one by one, so a node may be ahead by one, which may be a huge one.
double misplaced_share(const ArenaProof& arena) {
  const auto known = static_cast<double>(arena.found.known());
  if (known == 0 || arena.home.kind == MemoryHome::Kind::kFirstTouch) return 0;
  const bool dealt = arena.home.kind == MemoryHome::Kind::kInterleave;
  const double planned = known / static_cast<double>(arena.home.nodes.size());
  const double ahead =
      dealt ? std::max(1.0, known * kHugePage / static_cast<double>(arena.bytes)) : 0;
  double misplaced = 0;
  for (const auto& [node, pages] : arena.found.on_node) {
    const bool wanted = std::ranges::find(arena.home.nodes, node) != arena.home.nodes.end();
    const double allowed = wanted ? planned + ahead : 0;
    misplaced += std::max(0.0, static_cast<double>(pages) - allowed);
  }
  return misplaced / known;
}

std::string reason_for(const ArenaProof& arena, bool is_bound) {
  if (arena.found.error != 0) {
    return fmt::format("the kernel doesn't say where pages lie (move_pages: {})",
                       std::strerror(arena.found.error));
  }
  if (arena.misplaced <= kTolerated) return "";
  if (!is_bound) return "binding memory isn't permitted here (a container's rule?)";
  for (const int node : arena.home.nodes) {
    if (runtime::node_memory(node).available < kFull) return fmt::format("node {} is full", node);
  }
  return "the kernel put them elsewhere";
}

}  // namespace

std::vector<ArenaProof> prove_placement(const model::LoadedModel& loaded) {
  std::vector<ArenaProof> proofs;
  for (const runtime::Memory& memory : loaded.arenas) {
    ArenaProof arena;
    arena.home = memory.home();
    arena.bytes = memory.size();
    arena.huge_bytes = runtime::bytes_in_huge_pages(memory.data(), memory.size());
    arena.found = runtime::sample_pages(memory.data(), memory.size(), kSamples);
    arena.misplaced = misplaced_share(arena);
    arena.reason = reason_for(arena, memory.is_bound());
    proofs.push_back(std::move(arena));
  }
  return proofs;
}

}  // namespace leyden
