#include <fmt/format.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "formats/container_reader.h"
#include "src/convert.h"
#include "src/model/cost.h"
#include "src/runtime/cores.h"
#include "src/runtime/thread_team.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/terminal.h"

namespace leyden::tools {
namespace {

using nlohmann::json;

struct InspectOptions {
  std::string path, json_file;
  bool tensors = false, verify = false;
};

double gigabytes(double bytes) { return bytes / 1e9; }

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// What decoding reads and what contexts need, from the shapes of a container's tensors.
void report_costs(std::FILE* out, const formats::ModelConfig& config,
                  const std::vector<formats::StoredTensor>& tensors, json& document) {
  model::TensorTable table;
  for (const auto& tensor : tensors) table[tensor.spec.name] = {tensor.spec, nullptr};
  const model::ModelWeights weights = model::bind_weights(config, table, "container");
  const model::KvCache cache(config, {});
  const model::TokenCost cost = model::decode_cost(config, weights, cache, true, 0);
  fmt::print(out, "weights read per token  {:.3f} GB\n", gigabytes(cost.weight_bytes));
  document["weight_bytes_per_token"] = cost.weight_bytes;
  document["cache_bytes_per_token"] = cache.bytes_per_token();
  for (const std::int64_t context : {4096, 32768, 131072}) {
    if (context > config.max_position_embeddings) break;
    const double bytes =
        static_cast<double>(context) * static_cast<double>(cache.bytes_per_token());
    fmt::print(out, "cache of {:>6} tokens  {:>7.3f} GB (bf16 latents, int8 index keys)\n", context,
               gigabytes(bytes));
    document["cache_bytes"][std::to_string(context)] = bytes;
  }
}

/// Reads every tensor and compares checksums. Returns the names of those that differ.
std::vector<std::string> damaged_tensors(const formats::ContainerReader& container) {
  runtime::ThreadTeam team(runtime::usable_cores());
  ProgressLine line("verifying");
  std::mutex mutex;
  std::vector<std::string> damaged;
  std::uint64_t done = 0, total = 0;
  for (const auto& tensor : container.tensors()) total += tensor.bytes;
  team.run(static_cast<int>(container.tensors().size()), [&](int i, int) {
    const formats::StoredTensor& tensor = container.tensors()[static_cast<std::size_t>(i)];
    std::string problem;
    try {
      container.verify(tensor);
    } catch (const std::exception& error) {
      problem = error.what();
    }
    const std::lock_guard lock(mutex);
    if (!problem.empty()) damaged.push_back(problem);
    line.update(done += tensor.bytes, total);
  });
  return damaged;
}

int inspect_container(const InspectOptions& options, std::FILE* out, json& document) {
  const formats::ContainerReader container(options.path);
  const formats::ModelConfig& config = container.config();
  double bytes = 0, weights = 0;
  std::map<std::string, double> by_format;
  for (const auto& tensor : container.tensors()) {
    bytes += static_cast<double>(tensor.bytes);
    weights += static_cast<double>(tensor.spec.count) * static_cast<double>(tensor.spec.rows) *
               static_cast<double>(tensor.spec.cols);
    by_format[std::string(name(tensor.spec.format))] += static_cast<double>(tensor.bytes);
  }
  fmt::print(out, "{}: leyden container, {}\n", options.path, name(config.architecture));
  fmt::print(out, "recipe {}, fingerprint {}\n", container.recipe(), container.fingerprint());
  fmt::print(out, "{} layers, {:.3f} G weights in {} tensors, {:.3f} GB, {:.2f} bits a weight\n",
             config.num_hidden_layers, weights / 1e9, container.tensors().size(), gigabytes(bytes),
             8 * bytes / weights);
  for (const auto& [format, size] : by_format) {
    fmt::print(out, "  {:<5} {:>9.3f} GB\n", format, gigabytes(size));
  }
  document = {{"kind", "container"},
              {"architecture", name(config.architecture)},
              {"recipe", container.recipe()},
              {"fingerprint", container.fingerprint()},
              {"file_bytes", container.file_bytes()},
              {"tensor_bytes", bytes},
              {"weights", weights},
              {"bytes_by_format", by_format}};
  report_costs(out, config, container.tensors(), document);
  if (options.tensors) {
    for (const auto& tensor : container.tensors()) {
      const quant::TensorSpec& spec = tensor.spec;
      const std::string shape = shape_text({spec.count, spec.rows, spec.cols});
      fmt::print(out, "{:<36} {:<5} {:<5} {:<24} {:>14} bytes at {}\n", spec.name,
                 name(spec.format), name(spec.layout), shape, tensor.bytes, tensor.offset);
      document["tensors"].push_back({{"name", spec.name},
                                     {"format", name(spec.format)},
                                     {"layout", name(spec.layout)},
                                     {"shape", {spec.count, spec.rows, spec.cols}},
                                     {"offset", tensor.offset},
                                     {"bytes", tensor.bytes}});
    }
  }
  if (!options.verify) return 0;
  const std::vector<std::string> damaged = damaged_tensors(container);
  document["damaged"] = damaged;
  for (const std::string& problem : damaged) fmt::print(stderr, "leyden: {}\n", problem);
  fmt::print(out, "{} of {} tensors fit their checksums\n",
             container.tensors().size() - damaged.size(), container.tensors().size());
  return damaged.empty() ? 0 : 1;
}

int inspect_checkpoint(const InspectOptions& options, std::FILE* out, json& document) {
  const auto checkpoint = formats::Checkpoint::open(options.path);
  const formats::ModelConfig& config = checkpoint->config();
  std::map<std::string, double> by_type;
  double bytes = 0;
  for (const auto& tensor : checkpoint->tensors()) {
    by_type[std::string(name(tensor.type))] += static_cast<double>(tensor.bytes);
    bytes += static_cast<double>(tensor.bytes);
  }
  fmt::print(out, "{}: original checkpoint, {}\n", options.path, name(config.architecture));
  fmt::print(out, "{} layers, {} tensors, {:.3f} GB\n", config.num_hidden_layers,
             checkpoint->tensors().size(), gigabytes(bytes));
  document = {{"kind", "checkpoint"},
              {"architecture", name(config.architecture)},
              {"tensor_bytes", bytes},
              {"bytes_by_type", by_type}};
  for (const auto& [type, size] : by_type) {
    fmt::print(out, "  {:<8} {:>9.3f} GB\n", type, gigabytes(size));
  }
  for (const quant::Recipe& recipe : quant::named_recipes()) {
    const ConversionPlan plan = plan_conversion(*checkpoint, recipe);
    const auto size = static_cast<double>(plan.tensor_bytes);
    fmt::print(out, "as {:<9} {:>9.3f} GB\n", recipe.name, gigabytes(size));
    document["recipe_bytes"][recipe.name] = size;
  }
  if (options.tensors) {
    for (const auto& tensor : checkpoint->tensors()) {
      fmt::print(out, "{:<64} {:<8} {:<18} {:>14} bytes at {} of {}\n", tensor.name,
                 name(tensor.type), shape_text(tensor.shape), tensor.bytes, tensor.offset,
                 tensor.file);
      document["tensors"].push_back({{"name", tensor.name},
                                     {"type", name(tensor.type)},
                                     {"shape", tensor.shape},
                                     {"file", tensor.file},
                                     {"offset", tensor.offset},
                                     {"bytes", tensor.bytes}});
    }
  }
  if (options.verify) {
    throw std::runtime_error(options.path + ": only leyden containers have checksums to verify");
  }
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, int& exit_code) {
  auto* const command =
      app.add_subcommand("inspect", "Say what is in a container, a checkpoint or a GGUF file");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("path", options->path, "Container, checkpoint directory or GGUF file")
      ->type_name("FILE|DIR")
      ->required();
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_flag("--verify", options->verify, "Read a container and compare its checksums");
  command->add_option("--json", options->json_file, "Also write it as JSON (- is standard output)")
      ->type_name("FILE");
  command->callback([options, &exit_code] {
    std::FILE* const out = human_output(options->json_file);
    json document;
    exit_code = formats::is_container(options->path) ? inspect_container(*options, out, document)
                                                     : inspect_checkpoint(*options, out, document);
    if (!options->json_file.empty()) write_json(options->json_file, document);
  });
}

}  // namespace leyden::tools
