#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "simd/kernels.h"
#include "src/runtime/available_memory.h"
#include "src/runtime/huge_page_state.h"
#include "src/runtime/index.h"
#include "src/runtime/machine_limits.h"
#include "src/runtime/topology.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/machine_plan.h"
#include "tools/machine_rates.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/units.h"

namespace leyden::tools {
namespace {

using nlohmann::json;

/// "0-3,8" of ascending numbers.
std::string list_text(std::vector<int> numbers) {
  std::ranges::sort(numbers);
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[i]);
    if (last > i) text += fmt::format("-{}", numbers[last]);
    i = last + 1;
  }
  return text.empty() ? "none" : text;
}

void report_topology(const runtime::Topology& machine, std::FILE* out, json& document) {
  fmt::print(
      out, "packages         {}\ncores            {} with {} hardware threads{}\n",
      machine.n_packages, machine.cores.size(), machine.n_cpus(),
      machine.cpu_quota ? fmt::format(", of which a quota leaves {:.1f}", *machine.cpu_quota) : "");
  document["packages"] = machine.n_packages;
  document["cores"] = machine.usable_cores();
  document["hardware_threads"] = machine.n_cpus();
  document["cpu_quota"] = machine.cpu_quota ? json(*machine.cpu_quota) : json();
  std::string caches;
  for (const runtime::Cache& cache : machine.caches) {
    caches += fmt::format("{}{} x {} {} KiB", caches.empty() ? "" : ", ", cache.count, cache.name,
                          cache.bytes >> 10);
    document["caches"].push_back(
        {{"name", cache.name}, {"bytes", cache.bytes}, {"count", cache.count}});
  }
  fmt::print(out, "caches           {}\n", caches.empty() ? "unknown" : caches);
  for (std::size_t i = 0; i < machine.nodes.size(); ++i) {
    const runtime::Node& node = machine.nodes[i];
    std::vector<int> cpus, cores;
    for (const runtime::Core& core : machine.cores) {
      if (core.node != static_cast<int>(i)) continue;
      cpus.insert(cpus.end(), core.cpus.begin(), core.cpus.end());
      cores.push_back(core.cpus.front());
    }
    const runtime::NodeMemory memory = runtime::node_memory(node.os_index);
    fmt::print(
        out,
        "node {:<11} {} cores, CPUs {}; {:.1f} GB, {:.1f} available, {:.1f} reserved "
        "in 2 MiB pages; distances {}\n",
        node.os_index, cores.size(), list_text(cpus), gigabytes(node.bytes),
        gigabytes(memory.available), gigabytes(memory.free_huge_pages),
        node.distances.empty() ? "unknown" : fmt::format("{}", fmt::join(node.distances, " ")));
    document["nodes"].push_back({{"node", node.os_index},
                                 {"cores", cores.size()},
                                 {"cpus", cpus},
                                 {"bytes", node.bytes},
                                 {"available_bytes", memory.available},
                                 {"reserved_huge_bytes", memory.free_huge_pages},
                                 {"distances", node.distances}});
  }
  const int seen = runtime::nodes_seen_by_tbb();
  document["nodes_seen_by_tbb"] = seen;
  if (machine.nodes.size() > 1 && seen == 0) {
    fmt::print(out,
               "oneTBB           sees no nodes: libtbbbind is missing (Debian: "
               "libtbbbind-2-5); leyden binds its threads itself\n");
  }
}

void report_system(std::FILE* out, json& document) {
  std::string levels;
  for (const simd::Isa isa : simd::available_isas()) {
    levels += (levels.empty() ? "" : " ") + std::string(simd::name(isa));
  }
  const std::string level(simd::name(simd::kernels().isa));
  fmt::print(out, "kernel level     {} (this machine has: {})\n", level, levels);
  const runtime::AvailableMemory memory = runtime::available_memory();
  fmt::print(out, "memory           {:.1f} GB available ({})\n", gigabytes(memory.bytes),
             memory.limit);
  const runtime::HugePageState pages = runtime::huge_page_state();
  fmt::print(out, "huge pages       transparent: {}, defragmenting: {}\n",
             pages.transparent.empty() ? "not supported" : pages.transparent,
             pages.defragmenting.empty() ? "not supported" : pages.defragmenting);
  document["isa"] = level;
  document["available_bytes"] = memory.bytes;
  document["available_limit"] = memory.limit;
  document["huge_pages"] = {{"transparent", pages.transparent}, {"defrag", pages.defragmenting}};
}

void report_crew(const runtime::Crew& crew, const std::string& policy, std::FILE* out,
                 json& document) {
  json threads = json::array();
  std::string text;
  for (int node = 0; node < crew.n_nodes(); ++node) {
    std::vector<int> cpus;
    for (const runtime::Crew::Worker& worker : crew.workers) {
      if (worker.node == node) cpus.push_back(worker.cpu);
    }
    const bool free = cpus.front() < 0;
    text += fmt::format("{}{} on node {} ({})", text.empty() ? "" : ", ", cpus.size(),
                        crew.nodes[index(node)], free ? "not bound" : "CPUs " + list_text(cpus));
    threads.push_back({{"node", crew.nodes[index(node)]}, {"cpus", cpus}});
  }
  fmt::print(out, "leyden would use {} threads: {}; {}\n", crew.size(), text, policy);
  document["crew"] = threads;
  document["policy"] = policy;
}

void run_machine(const PlanOptions& options, const std::string& json_file) {
  // What may be mistyped comes before what takes seconds.
  std::optional<PlannedModel> plan;
  if (!options.model.empty()) plan = read_plan(options);
  std::vector<std::filesystem::path> read = files_of(options.engine);
  if (plan) read.insert(read.end(), plan->files.begin(), plan->files.end());
  check_json_target(json_file, read);
  std::FILE* const out = human_output(json_file);
  json document;
  const runtime::Topology machine = runtime::read_topology();
  const runtime::CrewOptions threads = {options.engine.threads, options.engine.cpus,
                                        options.engine.nodes};
  const runtime::Crew crew = runtime::plan_crew(machine, threads);
  report_topology(machine, out, document);
  report_system(out, document);
  const NodeRates rates = report_node_rates(machine, threads, out, document);
  report_limits(machine, threads, out, document);
  std::optional<model::NumaPolicy> planned;
  if (plan) planned = report_plan(options, *plan, crew, rates, out, document);
  report_crew(crew, division(options.engine, crew, machine.nodes.size(), planned), out, document);
  if (!json_file.empty()) write_json(json_file, document);
}

}  // namespace

void add_machine(CLI::App& app, int&) {
  auto* const command =
      app.add_subcommand("machine",
                         "Say what this machine offers, measured: the limits that "
                         "'leyden bench' compares with");
  const auto options = std::make_shared<PlanOptions>();
  const auto json_file = std::make_shared<std::string>();
  command
      ->add_option("--plan", options->model,
                   "Say whether a model fits, where it would lie and what decoding would read: "
                   "a container, a checkpoint, a GGUF file, or the whole v3.2, v3 or lite")
      ->type_name("MODEL")
      ->check(a_path());
  command->add_option("--json", *json_file, "Also write it as JSON (- is standard output)")
      ->type_name("FILE")
      ->check(a_path());
  add_engine_options(*command, options->engine);
  command->callback([options, json_file] { run_machine(*options, *json_file); });
}

}  // namespace leyden::tools
