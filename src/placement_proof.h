#pragma once

#include <optional>
#include <string>
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

/// Samples the pages of a loaded model's arenas and compares them with the plan.
std::vector<PlacementProof> prove_placement(const model::LoadedModel& loaded);

/// The same of a session's cache, one proof for each node that its pages go to: those of the
/// positions whose readers are at home there. Empty if they go nowhere in particular.
std::vector<PlacementProof> prove_cache(const model::KvCache& cache);

}  // namespace leyden
