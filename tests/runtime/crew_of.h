#pragma once

#include <vector>

#include "src/runtime/crew.h"

namespace leyden::runtime {

/// So many threads on each of some nodes, which this machine needn't have: they aren't bound, and
/// memory is wherever it is.
inline Crew crew_of(const std::vector<int>& sizes) {
  Crew crew;
  for (int node = 0; node < static_cast<int>(sizes.size()); ++node) {
    crew.nodes.push_back(node);
    crew.workers.insert(crew.workers.end(),
                        static_cast<std::size_t>(sizes[static_cast<std::size_t>(node)]),
                        {node, -1});
  }
  return crew;
}

/// One thread, of the second of two nodes: whatever is on the way between nodes, it reads.
inline Crew crew_beside() {
  Crew crew;
  crew.nodes = {0, 1};
  crew.workers = {{1, -1}};
  return crew;
}

}  // namespace leyden::runtime
