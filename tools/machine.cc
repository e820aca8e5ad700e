#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "simd/kernels.h"
#include "src/runtime/available_memory.h"
#include "src/runtime/cores.h"
#include "src/runtime/machine_limits.h"
#include "src/runtime/memory.h"
#include "tools/commands.h"
#include "tools/json_output.h"

namespace leyden::tools {
namespace {

void run_machine(const std::string& json_file) {
  std::FILE* const out = human_output(json_file);
  nlohmann::json document;
  const int cores = runtime::usable_cores();
  const runtime::AvailableMemory memory = runtime::available_memory();
  fmt::print(out, "cores            {}\n", cores);
  std::string levels;
  for (const simd::Isa isa : simd::available_isas()) levels += std::string(simd::name(isa)) + " ";
  const std::string level(simd::name(simd::kernels().isa));
  fmt::print(out, "kernel level     {} (this machine has: {})\n", level,
             levels.substr(0, levels.size() - 1));
  fmt::print(out, "memory           {:.1f} GB available ({})\n",
             static_cast<double>(memory.bytes) / 1e9, memory.limit);
  document = {{"cores", cores},
              {"isa", level},
              {"available_bytes", memory.bytes},
              {"available_limit", memory.limit}};
  std::vector<int> counts = {1};
  if (cores > 1) counts.push_back(cores);
  for (const int threads : counts) {
    runtime::ThreadTeam team(threads);
    const runtime::MachineLimits limits = runtime::measure_limits(team);
    fmt::print(out, "{:>3} thread{}      reading {:.1f} GB/s, integer products {:.1f} GMAC/s\n",
               threads, threads == 1 ? " " : "s", limits.read_gb_per_second,
               limits.integer_gmac_per_second);
    document["limits"].push_back({{"threads", threads},
                                  {"read_gb_per_second", limits.read_gb_per_second},
                                  {"integer_gmac_per_second", limits.integer_gmac_per_second}});
  }
  if (!json_file.empty()) write_json(json_file, document);
}

}  // namespace

void add_machine(CLI::App& app, int&) {
  auto* const command =
      app.add_subcommand("machine",
                         "Say what this machine offers, measured: the limits that "
                         "'leyden bench' compares with");
  const auto json_file = std::make_shared<std::string>();
  command->add_option("--json", *json_file, "Also write it as JSON (- is standard output)")
      ->type_name("FILE");
  command->callback([json_file] { run_machine(*json_file); });
}

}  // namespace leyden::tools
