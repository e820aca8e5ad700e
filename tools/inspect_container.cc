#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <mutex>

#include "formats/container_reader.h"
#include "formats/load_error.h"
#include "src/model/expert_counts.h"
#include "src/model/tensor_check.h"
#include "src/runtime/cores.h"
#include "src/runtime/thread_team.h"
#include "tools/inspect_parts.h"
#include "tools/terminal.h"
#include "tools/units.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

using nlohmann::json;

/// Reads every blob and compares checksums. Returns what is wrong with those that differ.
std::vector<std::string> damaged_blobs(const formats::ContainerReader& container) {
  std::vector<std::string> problems;
  for (const formats::StoredBlob& blob : container.blobs()) {
    try {
      container.blob(blob.name);
    } catch (const formats::LoadError& error) {
      problems.emplace_back(error.what());
    }
  }
  return problems;
}

/// The same of tensors.
std::vector<std::string> damaged_tensors(const formats::ContainerReader& container) {
  runtime::ThreadTeam team(runtime::usable_cores());
  ProgressLine line("verifying");
  std::mutex mutex;
  std::map<std::string, std::string> damaged;  // by name, whoever was first
  std::uint64_t done = 0, total = 0;
  const auto tensors = container.all_tensors();
  for (const auto& tensor : tensors) total += tensor.bytes;
  team.run(static_cast<int>(tensors.size()), [&](int i, int) {
    const formats::StoredTensor& tensor = tensors[static_cast<std::size_t>(i)];
    std::string problem;
    try {
      container.verify(tensor);
    } catch (const std::exception& error) {
      problem = error.what();
    }
    const std::lock_guard lock(mutex);
    if (!problem.empty()) damaged[tensor.spec.name] = problem;
    line.update(done += tensor.bytes, total);
  });
  std::vector<std::string> problems;
  for (const auto& [name, problem] : damaged) problems.push_back(problem);
  return problems;
}

void list_tensors(const formats::ContainerReader& container, std::FILE* out, json& document) {
  for (const auto& tensor : container.all_tensors()) {
    const quant::TensorSpec& spec = tensor.spec;
    fmt::print(out, "{:<36} {:<5} {:<5} {:<24} {:>14} bytes at {}\n", visible(spec.name),
               name(spec.format), name(spec.layout), shape_text({spec.count, spec.rows, spec.cols}),
               tensor.bytes, tensor.frames.empty() ? tensor.offset : tensor.frames.front().offset);
    document["tensors"].push_back({{"name", spec.name},
                                   {"format", name(spec.format)},
                                   {"layout", name(spec.layout)},
                                   {"shape", {spec.count, spec.rows, spec.cols}},
                                   {"offset", tensor.offset},
                                   {"bytes", tensor.bytes}});
  }
}

}  // namespace

int inspect_container(const InspectOptions& options, std::FILE* out, json& document) {
  const formats::ContainerReader container(options.path);
  const formats::ModelConfig& config = container.config();
  const ModelCosts costs = model_costs(config, model::checked_tensors(container), container.name());
  const auto all = container.all_tensors();
  std::map<std::string, std::uint64_t> by_format;
  std::uint64_t bytes = 0, stored = 0;
  for (const auto& tensor : all) {
    by_format[std::string(name(tensor.spec.format))] += tensor.bytes;
    bytes += tensor.bytes;
    stored += tensor.stored_bytes();
  }
  fmt::print(out, "{}: leyden container, {}\n", options.path, name(config.architecture));
  fmt::print(out, "recipe {}, fingerprint {}\n", visible(container.recipe()),
             container.fingerprint());
  fmt::print(out, "{} layers, {:.3f} G weights in {} tensors, {:.3f} GB, {:.2f} bits a weight\n",
             config.num_hidden_layers, costs.weights / 1e9, container.tensors().size(),
             gigabytes(costs.tensor_bytes),
             8 * static_cast<double>(costs.tensor_bytes) / costs.weights);
  if (stored != bytes) {
    fmt::print(out, "compressed to {:.3f} GB, {:.1f} % of {:.3f} GB\n", gigabytes(stored),
               100 * static_cast<double>(stored) / static_cast<double>(bytes), gigabytes(bytes));
  }
  const std::uint64_t kept_only = bytes - costs.tensor_bytes;
  if (kept_only > 0) {
    fmt::print(out, "{} more tensors, {:.3f} GB, for multi-token prediction: kept, not loaded\n",
               all.size() - container.tensors().size(), gigabytes(kept_only));
  }
  const auto blobs = container.blobs();
  const bool has_counts =
      std::ranges::find(blobs, model::kExpertCountsBlob, &formats::StoredBlob::name) != blobs.end();
  if (has_counts) fmt::print(out, "counts of how often experts are used, for --numa whole\n");
  for (const auto& [format, size] : by_format) {
    fmt::print(out, "  {:<5} {:>9.3f} GB\n", format, gigabytes(size));
  }
  document = {{"kind", "container"},
              {"architecture", name(config.architecture)},
              {"recipe", container.recipe()},
              {"fingerprint", container.fingerprint()},
              {"file_bytes", container.file_bytes()},
              {"tensor_bytes", bytes},
              {"stored_bytes", stored},
              {"mtp_bytes", kept_only},
              {"weights", costs.weights},
              {"routing_stats", has_counts},
              {"bytes_by_format", by_format}};
  report_costs(costs, out, document);
  if (options.tensors) list_tensors(container, out, document);
  if (!options.verify) return 0;
  std::vector<std::string> damaged = damaged_blobs(container);
  const std::size_t whole_blobs = blobs.size() - damaged.size();
  const std::vector<std::string> tensors = damaged_tensors(container);
  damaged.insert(damaged.end(), tensors.begin(), tensors.end());
  document["damaged"] = damaged;
  for (const std::string& problem : damaged) std::cerr << "leyden: " << visible(problem) << '\n';
  fmt::print(out,
             "{} of {} tensors and {} of {} small files (config.json, ...) fit their checksums\n",
             all.size() - tensors.size(), all.size(), whole_blobs, blobs.size());
  return damaged.empty() ? 0 : 1;
}

}  // namespace leyden::tools
