#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "src/convert.h"
#include "tools/inspect_parts.h"
#include "tools/units.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

using nlohmann::json;

/// A line per recipe: what a container would take, and what running it would.
void list_recipes(const formats::Checkpoint& checkpoint, std::FILE* out, json& document) {
  fmt::print(out, "{:<9} {:>11} {:>12} {:>15} {:>24}\n", "recipe", "container", "per weight",
             "read per token", "memory with context");
  for (const quant::Recipe& recipe : quant::named_recipes()) {
    const ConversionPlan plan = plan_conversion(checkpoint, recipe);
    const ModelCosts costs =
        model_costs(checkpoint.config(), plan.model_tensors(), checkpoint.name());
    const double bits = 8 * static_cast<double>(costs.tensor_bytes) / costs.weights;
    fmt::print(out, "{:<9} {:>8.3f} GB {:>7.2f} bits {:>12.3f} GB", recipe.name,
               gigabytes(plan.tensor_bytes), bits, gigabytes(costs.bytes_per_token));
    json& entry = document["recipes"][recipe.name];
    entry = {{"tensor_bytes", plan.tensor_bytes},
             {"bits_per_weight", bits},
             {"weight_bytes_per_token", costs.bytes_per_token}};
    for (const ModelCosts::Memory& memory : costs.memory) {
      fmt::print(out, "  {:>8.3f} GB at {}", gigabytes(memory.total), memory.context);
      entry["memory_bytes"][std::to_string(memory.context)] = memory.total;
    }
    fmt::print(out, "\n");
    document["recipe_bytes"][recipe.name] = plan.tensor_bytes;
  }
}

void list_tensors(const formats::Checkpoint& checkpoint, std::FILE* out, json& document) {
  for (const auto& tensor : checkpoint.tensors()) {
    fmt::print(out, "{:<64} {:<8} {:<18} {:>14} bytes at {} of {}\n", visible(tensor.name),
               name(tensor.type), shape_text(tensor.shape), tensor.bytes, tensor.offset,
               visible(tensor.file));
    document["tensors"].push_back({{"name", tensor.name},
                                   {"type", name(tensor.type)},
                                   {"shape", tensor.shape},
                                   {"file", tensor.file},
                                   {"offset", tensor.offset},
                                   {"bytes", tensor.bytes}});
  }
}

}  // namespace

int inspect_checkpoint(const InspectOptions& options, std::FILE* out, json& document) {
  const auto checkpoint = formats::Checkpoint::open(options.path);
  if (options.verify) {
    throw std::runtime_error(options.path + ": only leyden containers have checksums to verify");
  }
  const formats::ModelConfig& config = checkpoint->config();
  std::map<std::string, std::uint64_t> by_type;
  std::uint64_t bytes = 0;
  for (const auto& tensor : checkpoint->tensors()) {
    by_type[std::string(name(tensor.type))] += tensor.bytes;
    bytes += tensor.bytes;
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
  list_recipes(*checkpoint, out, document);
  if (options.tensors) list_tensors(*checkpoint, out, document);
  return 0;
}

}  // namespace leyden::tools
