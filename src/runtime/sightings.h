#pragma once

#include <vector>

#include "src/runtime/thread_team.h"

namespace leyden::runtime {

/// Where a worker of a team was seen running.
struct Sighting {
  int worker = 0;
  int planned_cpu = -1;  // -1: it may run anywhere
  int cpu = -1;          // -1: it was busy elsewhere and didn't come
};

/// Lets every worker say on which hardware thread it runs. The caller should be bound
/// (ThreadTeam::bind_caller).
std::vector<Sighting> see_workers(ThreadTeam& team);

}  // namespace leyden::runtime
