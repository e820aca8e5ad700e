#include "tools/machine_rates.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/runtime/available_memory.h"
#include "src/runtime/machine_limits.h"
#include "src/runtime/memory.h"

namespace leyden::tools {

using nlohmann::json;
using runtime::MemoryHome;

NodeRates report_node_rates(const runtime::Topology& machine, const runtime::CrewOptions& threads,
                            std::FILE* out, json& document) {
  NodeRates rates;
  if (machine.nodes.size() > 1)
    fmt::print(out, "reading, GB/s    (threads of a node down, memory of a node across)\n");
  const runtime::Crew whole = runtime::plan_crew(machine, threads);
  for (const int reader : whole.nodes) {
    runtime::CrewOptions there = threads;
    there.nodes = std::to_string(reader);
    if (threads.threads > 0) {
      there.threads = std::max(1, threads.threads / whole.n_nodes());
    }
    runtime::ThreadTeam team(runtime::plan_crew(machine, there));
    const runtime::ThreadBinding bound = team.bind_caller();
    std::string row;
    for (const runtime::Node& node : machine.nodes) {
      // As much as fits easily, as little as is still beyond the caches.
      constexpr std::size_t kLeast = std::size_t{32} << 20, kMost = std::size_t{1} << 30;
      // A cgroup or ulimit may leave less than the node has.
      const std::size_t there_is = std::min<std::size_t>(
          runtime::node_memory(node.os_index).available, runtime::available_memory().bytes);
      if (there_is / 4 < kLeast) {
        row += fmt::format(" {:>8}", "full");
        continue;
      }
      MemoryHome home;
      if (machine.nodes.size() > 1) home = {MemoryHome::Kind::kNear, {node.os_index}};
      const double rate = runtime::read_rate(team, home, std::min(kMost, there_is / 4));
      row += fmt::format(" {:>8.1f}", rate);
      if (node.os_index == reader) {
        rates.local = std::max(rates.local, rate);
      } else if (rates.remote == 0 || rate < rates.remote) {
        rates.remote = rate;
      }
      document["node_reading"].push_back(
          {{"threads_of", reader}, {"memory_of", node.os_index}, {"gb_per_second", rate}});
    }
    if (machine.nodes.size() > 1) fmt::print(out, "  node {:<10}{}\n", reader, row);
  }
  if (rates.local == 0) {
    fmt::print(out, "a node's reading not measured: too little memory is available\n");
  }
  return rates;
}

void report_limits(const runtime::Topology& machine, const runtime::CrewOptions& options,
                   std::FILE* out, json& document) {
  std::vector<int> counts = {1};
  const int most = runtime::plan_crew(machine, options).size();
  if (most > 1) counts.push_back(most);
  for (const int threads : counts) {
    runtime::CrewOptions crew = options;
    crew.threads = threads;
    runtime::ThreadTeam team(runtime::plan_crew(machine, crew));
    const runtime::MachineLimits limits = runtime::measure_limits(team);
    fmt::print(out, "{:>3} thread{}      reading {:.1f} GB/s, integer products {:.1f} GMAC/s\n",
               threads, threads == 1 ? " " : "s", limits.read_gb_per_second,
               limits.integer_gmac_per_second);
    document["limits"].push_back({{"threads", threads},
                                  {"read_gb_per_second", limits.read_gb_per_second},
                                  {"integer_gmac_per_second", limits.integer_gmac_per_second}});
  }
}

}  // namespace leyden::tools
