#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace leyden::runtime {

/// A NUMA node: memory, and perhaps cores beside it.
struct Node {
  int os_index = 0;
  std::uint64_t bytes = 0;
  std::vector<int> distances;  // to every node of Topology::nodes; empty if the firmware says none
};

/// A physical core.
struct Core {
  int node = 0;  // index into Topology::nodes; one that has memory, if any has
  int package = 0;
  int last_level_cache = 0;  // cores with equal numbers share one
  std::vector<int> cpus;     // its hardware threads, as the system numbers them
};

struct Cache {
  std::string name;  // "L1d", "L2", "L3"
  std::uint64_t bytes = 0;
  int count = 0;
};

/// The machine as far as this process may use it: what cgroups and cpusets forbid isn't there.
struct Topology {
  int n_packages = 0;
  std::vector<Node> nodes;  // with and without cores, ascending
  std::vector<Core> cores;  // with at least one hardware thread in the caller's affinity mask
  std::vector<Cache> caches;
  std::optional<double> cpu_quota;  // CPUs' worth of time the cgroup allows (cpu.max)

  int n_cpus() const;
  /// Cores that may compute at the same time: all, or fewer under a quota. At least 1.
  int usable_cores() const;
};

/// The node nearest to nodes[i] that has memory, itself if it has: a machine may have cores whose
/// own node has none. i where no node has any.
int nearest_with_memory(const std::vector<Node>& nodes, int i);

/// Reads it anew (a few ms): affinity may have changed.
Topology read_topology();

/// The same of a machine that hwloc makes up, such as "pack:2 [numa] core:4 pu:2", for tests.
/// Errors: std::invalid_argument for a description hwloc doesn't understand.
Topology read_topology(const std::string& synthetic);

/// NUMA nodes as oneTBB sees them. Without libtbbbind it sees a single node of unknown number and
/// says nothing; leyden binds its threads itself and doesn't depend on it.
int nodes_seen_by_tbb();

}  // namespace leyden::runtime
