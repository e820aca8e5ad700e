#pragma once

#include "src/runtime/thread_team.h"

namespace leyden::runtime {

/// What this machine can do at most with some threads, measured: the yardsticks of every benchmark.
struct MachineLimits {
  int threads = 0;
  double read_gb_per_second = 0;       // plain reading of memory far larger than the caches
  double integer_gmac_per_second = 0;  // int8 dot products between registers, at this ISA level
};

/// Takes about half a second. The machine should be otherwise idle.
MachineLimits measure_limits(ThreadTeam& team);

}  // namespace leyden::runtime
