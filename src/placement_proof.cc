#include "src/placement_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace leyden {
namespace {

using runtime::MemoryHome;

constexpr std::int64_t kSamples = 4096;  // per arena
constexpr std::int64_t kSamplesOfCachePage = 64;
constexpr double kTolerated = 0.01;
constexpr auto kHugePage = static_cast<double>(runtime::kHugePage);
/// A node with less than this to give counts as full.
constexpr std::size_t kFull = std::size_t{64} << 20;

/// Share of the pages on nodes that have more of them than planned. Interleaved pages are dealt out
/// one by one, so a node may be ahead by one, which may be a huge one.
double misplaced_share(const PlacementProof& arena) {
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

std::string reason_for(const PlacementProof& arena, bool is_bound) {
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

std::string warning(const PlacementProof& proof, std::string_view what) {
  return fmt::format("{:.1f} % of the {} for node {} don't lie there: {}", 100 * proof.misplaced,
                     what, fmt::join(proof.home.nodes, ","), proof.reason);
}

std::vector<PlacementProof> prove_placement(const model::LoadedModel& loaded) {
  std::vector<PlacementProof> proofs;
  for (const runtime::Memory& memory : loaded.arenas) {
    PlacementProof arena;
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

std::vector<PlacementProof> prove_cache(const model::KvCache& cache, int first) {
  std::vector<PlacementProof> proofs;
  for (int k = 0; k < static_cast<int>(cache.nodes().size()); ++k) {
    PlacementProof node;
    node.home = {MemoryHome::Kind::kNear, {cache.nodes()[static_cast<std::size_t>(k)]}};
    bool is_bound = true;
    for (int i = first; i < cache.n_pages(); ++i) {
      if (cache.node_of(i * model::KvCache::kPageTokens) != k) continue;
      const runtime::Memory& page = cache.page(i);
      node.bytes += page.size();
      node.found.add(runtime::sample_pages(page.data(), page.size(), kSamplesOfCachePage));
      is_bound = is_bound && page.is_bound();
    }
    node.misplaced = misplaced_share(node);
    node.reason = reason_for(node, is_bound);
    proofs.push_back(std::move(node));
  }
  return proofs;
}

}  // namespace leyden
