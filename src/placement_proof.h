#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/model/kv_cache.h"
#include "src/model/loaded_model.h"
#include "src/runtime/page_positions.h"

namespace leyden {

/// Weights or pages of a cache that belong together: where they should lie and where they do.
struct PlacementProof {
  runtime::MemoryHome home;
  std::size_t bytes = 0;
  std::optional<std::size_t> huge_bytes;  // of them in huge pages; not asked of a cache
  runtime::PagePositions found;
  double misplaced = 0;  // share of the sampled pages that lie elsewhere than planned
  std::string reason;    // why, if more than 1 % do or the kernel says nothing; else empty
};

/// What a user should hear of a proof with a reason: "3.0 % of the WHAT for node 1 don't lie there:
/// node 1 is full".
std::string warning(const PlacementProof& proof, std::string_view what);

/// Samples the pages of a loaded model's arenas and compares them with the plan.
std::vector<PlacementProof> prove_placement(const model::LoadedModel& loaded);

/// The same of a session's cache, one proof for each node that its pages go to: those of the
/// positions whose readers are at home there, from page `first` on. Empty if they go nowhere in
/// particular.
std::vector<PlacementProof> prove_cache(const model::KvCache& cache, int first = 0);

}  // namespace leyden
