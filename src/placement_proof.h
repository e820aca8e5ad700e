#pragma once

#include <string>
#include <vector>

#include "src/model/loaded_model.h"
#include "src/runtime/page_positions.h"

namespace leyden {

/// An arena of weights: where it should lie and where it does.
struct ArenaProof {
  runtime::MemoryHome home;
  std::size_t bytes = 0, huge_bytes = 0;
  runtime::PagePositions found;
  double misplaced = 0;  // share of the sampled pages that lie elsewhere than planned
  std::string reason;    // why, if more than 1 % do or the kernel says nothing; else empty
};

/// Samples the pages of a loaded model's arenas and compares them with the plan.
std::vector<ArenaProof> prove_placement(const model::LoadedModel& loaded);

}  // namespace leyden
