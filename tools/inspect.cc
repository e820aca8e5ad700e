#include <fmt/format.h>
#include <fmt/ranges.h>

#include "formats/container_reader.h"
#include "src/model/placement.h"
#include "tools/commands.h"
#include "tools/inspect_numa.h"
#include "tools/inspect_parts.h"
#include "tools/json_output.h"
#include "tools/option_checks.h"
#include "tools/units.h"

namespace leyden::tools {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

void report_costs(const ModelCosts& costs, std::FILE* out, nlohmann::json& document) {
  fmt::print(out, "weights read per token  {:.3f} GB\n", gigabytes(costs.bytes_per_token));
  document["weight_bytes_per_token"] = costs.bytes_per_token;
  for (const ModelCosts::Memory& memory : costs.memory) {
    fmt::print(out,
               "context of {:>6} tokens  {:>7.3f} GB of memory, {:.3f} GB of it cache (bf16 "
               "latents, int8 index keys)\n",
               memory.context, gigabytes(memory.total), gigabytes(memory.cache));
    const std::string context = std::to_string(memory.context);
    document["cache_bytes"][context] = memory.cache;
    document["memory_bytes"][context] = memory.total;
  }
}

void add_inspect(CLI::App& app, int& exit_code) {
  auto* const command =
      app.add_subcommand("inspect", "Say what is in a container, a checkpoint or a GGUF file");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("path", options->path, "Container, checkpoint directory or GGUF file")
      ->type_name("FILE|DIR")
      ->check(a_path())
      ->required();
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_flag("--verify", options->verify, "Read a container and compare its checksums");
  command->add_flag("--numa", options->numa,
                    "Load the model and say where its weights and threads are; "
                    "--numa=split, whole or interleave asks for a policy");
  command->add_option("-t,--threads", options->engine.threads, "For --numa: threads")
      ->type_name("N")
      ->check(at_least(1));
  command->add_option("--cpus", options->engine.cpus, "For --numa: hardware threads to compute on")
      ->type_name("LIST");
  command->add_option("--nodes", options->engine.nodes, "For --numa: NUMA nodes to compute on")
      ->type_name("LIST");
  command->add_option("--json", options->json_file, "Also write it as JSON (- is standard output)")
      ->type_name("FILE")
      ->check(a_path());
  command->callback([options, &exit_code] {
    if (options->numa == "true") options->numa = "auto";  // so a flag without a value is told
    if (!options->numa.empty()) {
      const auto policy = model::numa_policy_named(options->numa);
      if (!policy) throw CLI::ValidationError("--numa", "'" + options->numa + "' is no policy");
      options->engine.numa = static_cast<NumaChoice>(*policy);
    }
    check_json_target(options->json_file, {}, {{options->path, options->engine}});
    std::FILE* const out = human_output(options->json_file);
    nlohmann::json document;
    exit_code = formats::is_container(options->path) ? inspect_container(*options, out, document)
                                                     : inspect_checkpoint(*options, out, document);
    if (!options->numa.empty()) {
      exit_code |= inspect_numa({options->path, options->engine}, out, document);
    }
    if (!options->json_file.empty()) write_json(options->json_file, document);
  });
}

}  // namespace leyden::tools
