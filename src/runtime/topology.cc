#include "src/runtime/topology.h"

#include <oneapi/tbb/info.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "src/runtime/cgroup.h"
#include "src/runtime/hwloc_handle.h"

namespace leyden::runtime {
namespace {

HwlocTopology load(const char* synthetic) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return {nullptr, hwloc_topology_destroy};
  HwlocTopology topology(raw, hwloc_topology_destroy);
  if (synthetic != nullptr && hwloc_topology_set_synthetic(raw, synthetic) != 0) {
    throw std::invalid_argument(std::string("hwloc doesn't understand '") + synthetic + "'");
  }
  if (hwloc_topology_load(raw) != 0) topology.reset();
  return topology;
}

hwloc_obj_t object(hwloc_topology_t t, hwloc_obj_type_t type, int i) {
  return hwloc_get_obj_by_type(t, type, static_cast<unsigned>(i));
}

int count(hwloc_topology_t t, hwloc_obj_type_t type) {
  return std::max(0, hwloc_get_nbobjs_by_type(t, type));
}

void add_distances(hwloc_topology_t t, std::vector<Node>& nodes) {
  unsigned n = 1;
  hwloc_distances_s* matrix = nullptr;
  if (hwloc_distances_get_by_name(t, "NUMALatency", &n, &matrix, 0) != 0 || n == 0) return;
  const auto value = [&](const Node& from, const Node& to) {
    const auto index = [&](const Node& node) {
      for (unsigned i = 0; i < matrix->nbobjs; ++i) {
        if (static_cast<int>(matrix->objs[i]->os_index) == node.os_index) return i;
      }
      return 0u;
    };
    return static_cast<int>(matrix->values[index(from) * matrix->nbobjs + index(to)]);
  };
  for (Node& from : nodes) {
    for (const Node& to : nodes) from.distances.push_back(value(from, to));
  }
  hwloc_distances_release(t, matrix);
}

void add_caches(hwloc_topology_t t, std::vector<Cache>& caches) {
  const std::pair<hwloc_obj_type_t, const char*> kinds[] = {
      {HWLOC_OBJ_L1CACHE, "L1d"}, {HWLOC_OBJ_L2CACHE, "L2"}, {HWLOC_OBJ_L3CACHE, "L3"}};
  for (const auto& [type, name] : kinds) {
    if (const int n = count(t, type); n > 0) {
      caches.push_back({name, object(t, type, 0)->attr->cache.size, n});
    }
  }
}

/// Index of the node a core's memory requests go to first; nodes are ascending.
int node_of(const std::vector<Node>& nodes, hwloc_obj_t core) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (hwloc_bitmap_isset(core->nodeset, static_cast<unsigned>(nodes[i].os_index))) {
      return static_cast<int>(i);
    }
  }
  return 0;  // its own node is forbidden to this process: any serves
}

int ancestor_index(hwloc_topology_t t, hwloc_obj_t core, hwloc_obj_type_t type) {
  const hwloc_obj_t found = hwloc_get_ancestor_obj_by_type(t, type, core);
  return found != nullptr ? static_cast<int>(found->logical_index) : 0;
}

void add_cores(hwloc_topology_t t, Topology& to) {
  const HwlocBitmap mine = make_bitmap();
  const bool bound = hwloc_topology_is_thissystem(t) != 0 &&
                     hwloc_get_cpubind(t, mine.get(), HWLOC_CPUBIND_THREAD) == 0;
  const int n = count(t, HWLOC_OBJ_CORE);
  for (int i = 0; i < n; ++i) {
    const hwloc_obj_t from = object(t, HWLOC_OBJ_CORE, i);
    Core core;
    core.node = nearest_with_memory(to.nodes, node_of(to.nodes, from));
    core.package = ancestor_index(t, from, HWLOC_OBJ_PACKAGE);
    core.last_level_cache = ancestor_index(t, from, HWLOC_OBJ_L3CACHE);
    for (int cpu = hwloc_bitmap_first(from->cpuset); cpu >= 0;
         cpu = hwloc_bitmap_next(from->cpuset, cpu)) {
      if (!bound || hwloc_bitmap_isset(mine.get(), static_cast<unsigned>(cpu))) {
        core.cpus.push_back(cpu);
      }
    }
    if (!core.cpus.empty()) to.cores.push_back(core);
  }
}

Topology read(hwloc_topology_t t) {
  Topology topology;
  for (int i = 0; i < count(t, HWLOC_OBJ_NUMANODE); ++i) {
    const hwloc_obj_t node = object(t, HWLOC_OBJ_NUMANODE, i);
    topology.nodes.push_back(
        {static_cast<int>(node->os_index), node->attr->numanode.local_memory, {}});
  }
  std::ranges::sort(topology.nodes, {}, &Node::os_index);
  topology.n_packages = std::max(1, count(t, HWLOC_OBJ_PACKAGE));
  add_distances(t, topology.nodes);
  add_caches(t, topology.caches);
  add_cores(t, topology);
  return topology;
}

/// Where hwloc fails (no /sys): as many cores as the library counts hardware threads.
Topology guess() {
  Topology topology;
  topology.n_packages = 1;
  topology.nodes.push_back({});
  for (int i = 0; i < static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); ++i) {
    topology.cores.push_back({0, 0, 0, {i}});
  }
  return topology;
}

}  // namespace

hwloc_topology_t machine_topology() {
  static const HwlocTopology topology = load(nullptr);
  return topology.get();
}

int nearest_with_memory(const std::vector<Node>& nodes, int i) {
  const auto distance = [&](const Node& node) {
    const std::vector<int>& all = nodes[static_cast<std::size_t>(i)].distances;
    const auto at = static_cast<std::size_t>(&node - nodes.data());
    if (at == static_cast<std::size_t>(i)) return 0;
    return all.empty() ? 1 : all[at];
  };
  const Node* best = nullptr;
  for (const Node& node : nodes) {
    if (node.bytes > 0 && (best == nullptr || distance(node) < distance(*best))) best = &node;
  }
  return best == nullptr ? i : static_cast<int>(best - nodes.data());
}

int Topology::n_cpus() const {
  std::size_t n = 0;
  for (const Core& core : cores) n += core.cpus.size();
  return static_cast<int>(n);
}

int Topology::usable_cores() const {
  const auto n = static_cast<int>(cores.size());
  if (!cpu_quota) return n;
  return std::clamp(static_cast<int>(std::ceil(*cpu_quota)), 1, n);
}

Topology read_topology() {
  Topology topology = machine_topology() != nullptr ? read(machine_topology()) : guess();
  if (topology.nodes.empty() || topology.cores.empty()) topology = guess();
  topology.cpu_quota = cgroup_cpus();
  return topology;
}

Topology read_topology(const std::string& synthetic) { return read(load(synthetic.c_str()).get()); }

int nodes_seen_by_tbb() {
#if defined(__SANITIZE_ADDRESS__)
  return 0;  // it ends a process that opens libtbbbind as oneTBB does, with RTLD_DEEPBIND
#endif
  const auto nodes = oneapi::tbb::info::numa_nodes();
  return nodes.size() == 1 && nodes.front() == -1 ? 0 : static_cast<int>(nodes.size());
}

}  // namespace leyden::runtime
