#pragma once

#include <string>
#include <vector>

#include "src/runtime/memory_home.h"
#include "src/runtime/topology.h"

namespace leyden::runtime {

/// Which threads a user wants.
struct CrewOptions {
  int threads = 0;    // 0: one per physical core
  std::string cpus;   // hardware threads they may run on, "0-7,16"; empty: any
  std::string nodes;  // NUMA nodes they may run on, "0,1"; empty: any
};

/// The threads that compute, and where.
struct Crew {
  struct Worker {
    int node = 0;  // index into `nodes`
    int cpu = -1;  // the hardware thread it is bound to; -1: it runs where the system puts it
  };
  std::vector<Worker> workers;  // ascending by node; the first is the caller
  std::vector<int> nodes;       // the system's numbers of the NUMA nodes they run on, ascending

  int size() const { return static_cast<int>(workers.size()); }
  int n_nodes() const { return static_cast<int>(nodes.size()); }
  /// Workers on a node.
  int size_of(int node) const;
  /// The nodes to divide memory among: none if there is only one.
  std::vector<int> nodes_to_share() const { return n_nodes() > 1 ? nodes : std::vector<int>(); }
  /// A home for what the threads of a node use: that node while it has room; with one node, none in
  /// particular.
  MemoryHome near(int node) const;
};

/// Counts a crew's threads on the hardware threads they are bound to while it lives, so that
/// plan_crew gives others to the next.
class CpuUse {
 public:
  explicit CpuUse(const Crew& crew);
  ~CpuUse();
  CpuUse(const CpuUse&) = delete;
  CpuUse& operator=(const CpuUse&) = delete;

 private:
  std::vector<int> cpus_;
};

/// Chooses cores: those that the fewest threads of this process' teams are bound to, one thread
/// each, spread evenly over nodes and last-level caches; second hardware threads only when there
/// are more threads than cores, and no binding at all when there are more than hardware threads.
/// Errors: std::runtime_error naming the CPUs or nodes that aren't there, and those that are.
Crew plan_crew(const Topology& topology, const CrewOptions& options);

/// n threads on one node that run where the system puts them.
Crew unbound_crew(int n_threads);

}  // namespace leyden::runtime
