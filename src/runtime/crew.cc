#include "src/runtime/crew.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <numeric>
#include <stdexcept>
#include <tuple>

#include "src/runtime/hwloc_handle.h"
#include "src/runtime/index.h"

namespace leyden::runtime {
namespace {

/// A set of CPUs or nodes as the user wrote it; empty text: everything.
class Wanted {
 public:
  Wanted(const char* what, const std::string& text) : everything_(text.empty()) {
    if (!everything_ && (hwloc_bitmap_list_sscanf(set_.get(), text.c_str()) != 0 ||
                         hwloc_bitmap_weight(set_.get()) <= 0)) {
      throw std::runtime_error(
          fmt::format("{} are '{}', expected a list such as 0-3,8", what, text));
    }
  }
  bool has(int i) const {
    return everything_ || hwloc_bitmap_isset(set_.get(), static_cast<unsigned>(i)) != 0;
  }
  /// Those of the set that are not in `there`.
  std::vector<int> without(const std::vector<int>& there) const {
    std::vector<int> missing;
    if (everything_) return missing;
    for (int i = hwloc_bitmap_first(set_.get()); i >= 0; i = hwloc_bitmap_next(set_.get(), i)) {
      if (std::ranges::find(there, i) == there.end()) missing.push_back(i);
    }
    return missing;
  }

 private:
  bool everything_;
  HwlocBitmap set_ = make_bitmap();
};

void refuse_missing(const char* what, const Wanted& wanted, std::vector<int> there) {
  const std::vector<int> missing = wanted.without(there);
  if (missing.empty()) return;
  std::ranges::sort(there);
  throw std::runtime_error(fmt::format("{} {} can't be used: this process may use {}", what,
                                       fmt::join(missing, ","), fmt::join(there, ",")));
}

/// The cores the options leave.
std::vector<Core> allowed_cores(const Topology& topology, const CrewOptions& options) {
  const Wanted cpus("--cpus", options.cpus), nodes("--nodes", options.nodes);
  std::vector<int> all_cpus, nodes_with_cores;
  for (const Core& core : topology.cores) {
    all_cpus.insert(all_cpus.end(), core.cpus.begin(), core.cpus.end());
    const int node = topology.nodes[static_cast<std::size_t>(core.node)].os_index;
    if (std::ranges::find(nodes_with_cores, node) == nodes_with_cores.end()) {
      nodes_with_cores.push_back(node);
    }
  }
  refuse_missing("CPUs", cpus, all_cpus);
  refuse_missing("for threads, nodes", nodes, nodes_with_cores);

  std::vector<Core> allowed;
  for (Core core : topology.cores) {
    if (!nodes.has(topology.nodes[static_cast<std::size_t>(core.node)].os_index)) continue;
    std::erase_if(core.cpus, [&](int cpu) { return !cpus.has(cpu); });
    if (!core.cpus.empty()) allowed.push_back(core);
  }
  if (allowed.empty()) {
    throw std::runtime_error(
        fmt::format("none of CPUs {} is on nodes {}", options.cpus, options.nodes));
  }
  return allowed;
}

/// By threads of this process' crews, of each hardware thread; beyond the last that Linux knows,
/// none is counted.
constinit std::array<std::atomic<int>, 8192> uses = {};

int use_of(int cpu) { return index(cpu) < uses.size() ? uses[index(cpu)].load() : 0; }

int use_of(const Core& core) {
  return std::accumulate(core.cpus.begin(), core.cpus.end(), 0,
                         [](int sum, int cpu) { return sum + use_of(cpu); });
}

/// How much of something is taken already.
struct Share {
  int taken = 0, total = 0;
  double ratio() const { return static_cast<double>(taken) / total; }
};

/// Hardware threads in the order they are given out: first one of each core, then the second ones;
/// each time from the least used cores, of those from the node, then the last-level cache, of which
/// the smallest share is taken.
std::vector<Crew::Worker> hardware_threads(const std::vector<Core>& cores) {
  std::vector<Crew::Worker> order;
  std::size_t most = 0;
  for (const Core& core : cores) most = std::max(most, core.cpus.size());
  for (std::size_t level = 0; level < most; ++level) {
    std::map<int, Share> nodes, caches;
    std::vector<const Core*> left;
    for (const Core& core : cores) {
      if (core.cpus.size() <= level) continue;
      left.push_back(&core);
      ++nodes[core.node].total;
      ++caches[core.last_level_cache].total;
    }
    while (!left.empty()) {
      const auto next = std::ranges::min_element(left, {}, [&](const Core* core) {
        return std::tuple(use_of(*core), nodes[core->node].ratio(),
                          caches[core->last_level_cache].ratio());
      });
      ++nodes[(*next)->node].taken;
      ++caches[(*next)->last_level_cache].taken;
      order.push_back({(*next)->node, (*next)->cpus[level]});
      left.erase(next);
    }
  }
  return order;
}

}  // namespace

int Crew::size_of(int node) const {
  return static_cast<int>(
      std::ranges::count_if(workers, [node](const Worker& w) { return w.node == node; }));
}

MemoryHome Crew::near(int node) const {
  if (n_nodes() == 1) return {};
  return {MemoryHome::Kind::kNear, {nodes[static_cast<std::size_t>(node)]}};
}

CpuUse::CpuUse(const Crew& crew) {
  for (const Crew::Worker& worker : crew.workers) {
    if (worker.cpu < 0 || index(worker.cpu) >= uses.size()) continue;
    cpus_.push_back(worker.cpu);
    ++uses[index(worker.cpu)];
  }
}

CpuUse::~CpuUse() {
  for (const int cpu : cpus_) --uses[index(cpu)];
}

Crew plan_crew(const Topology& topology, const CrewOptions& options) {
  std::vector<Core> cores = allowed_cores(topology, options);
  for (Core& core : cores) {
    std::ranges::stable_sort(core.cpus, {}, [](int cpu) { return use_of(cpu); });
  }
  const std::vector<Crew::Worker> order = hardware_threads(cores);
  auto n = static_cast<std::size_t>(options.threads);
  if (n == 0) n = std::min(cores.size(), static_cast<std::size_t>(topology.usable_cores()));

  Crew crew;
  for (std::size_t i = 0; i < n; ++i) {
    crew.workers.push_back(order[i % order.size()]);
    if (n > order.size()) crew.workers.back().cpu = -1;
  }
  std::ranges::stable_sort(crew.workers, {}, &Crew::Worker::node);
  int last = -1;  // index into the topology's nodes
  for (Crew::Worker& worker : crew.workers) {
    if (worker.node != last) {
      last = worker.node;
      crew.nodes.push_back(topology.nodes[static_cast<std::size_t>(last)].os_index);
    }
    worker.node = crew.n_nodes() - 1;
  }
  return crew;
}

Crew unbound_crew(int n_threads) {
  Crew crew;
  crew.workers.resize(static_cast<std::size_t>(n_threads));
  crew.nodes = {0};
  return crew;
}

}  // namespace leyden::runtime
