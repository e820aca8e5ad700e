#include "src/runtime/cores.h"

#include <hwloc.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace leyden::runtime {

int usable_cores() {
  const auto fallback = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return fallback;
  const std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)> owner(
      topology, hwloc_topology_destroy);
  if (hwloc_topology_load(topology) != 0) return fallback;

  const std::unique_ptr<hwloc_bitmap_s, decltype(&hwloc_bitmap_free)> mine(hwloc_bitmap_alloc(),
                                                                           hwloc_bitmap_free);
  const bool bound = hwloc_get_cpubind(topology, mine.get(), HWLOC_CPUBIND_PROCESS) == 0;
  const int n_cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
  int usable = 0;
  for (int i = 0; i < n_cores; ++i) {
    const hwloc_obj_t core =
        hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, static_cast<unsigned>(i));
    if (!bound || hwloc_bitmap_intersects(core->cpuset, mine.get())) ++usable;
  }
  return usable > 0 ? usable : fallback;
}

}  // namespace leyden::runtime
