#include "src/compare.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "formats/load_error.h"
#include "src/runtime/cores.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

using nlohmann::json;

struct CompareOptions {
  std::string first, second, json_file;
  int threads = 0;
  bool tensors = false;
};

void print_names(std::FILE* out, const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  fmt::print(out, "{} {}, such as {}\n", names.size(), what, visible(names.front()));
}

void run_compare(const CompareOptions& options) {
  const formats::ContainerReader first(options.first), second(options.second);
  check_json_target(options.json_file, {options.first, options.second});
  runtime::ThreadTeam team(options.threads > 0 ? options.threads : runtime::usable_cores());
  ProgressLine line("comparing");
  const ContainerDifference difference =
      compare(first, second, team,
              [&line](std::uint64_t done, std::uint64_t total) { line.update(done, total); });
  line.clear();
  if (difference.tensors.empty()) {
    throw formats::LoadError(options.second, "has no tensor of the same name and shape as one of " +
                                                 options.first + ": they hold different models");
  }

  std::FILE* const out = human_output(options.json_file);
  json document = {{"first", {{"recipe", first.recipe()}, {"fingerprint", first.fingerprint()}}},
                   {"second", {{"recipe", second.recipe()}, {"fingerprint", second.fingerprint()}}},
                   {"total", figures_json(difference.total)},
                   {"only_first", difference.only_first},
                   {"only_second", difference.only_second},
                   {"other_shape", difference.other_shape},
                   {"tensors", json::array()}};
  std::size_t n_identical = 0;
  if (options.tensors) {
    fmt::print(out, "{:<36} {:<5} {:<5} {:>13} {:>11} {:>9}\n", "tensor", "first", "other",
               "relative RMSE", "worst group", "cosine");
  }
  for (const TensorDifference& tensor : difference.tensors) {
    n_identical += tensor.identical ? 1 : 0;
    json entry = figures_json(tensor.figures);
    entry.update({{"name", tensor.name},
                  {"first", name(tensor.first)},
                  {"second", name(tensor.second)},
                  {"identical", tensor.identical}});
    document["tensors"].push_back(std::move(entry));
    if (!options.tensors) continue;
    fmt::print(out, "{:<36} {:<5} {:<5} {:>13.6f} {:>11.4f} {:>9.6f}\n", visible(tensor.name),
               name(tensor.first), name(tensor.second), tensor.figures.relative_rmse,
               tensor.figures.worst_group, tensor.figures.cosine);
  }
  fmt::print(out, "{} of {} tensors are identical\n", n_identical, difference.tensors.size());
  print_names(out, "tensors are only in the first", difference.only_first);
  print_names(out, "tensors are only in the second", difference.only_second);
  print_names(out, "tensors have other shapes", difference.other_shape);
  fmt::print(out, "relative RMSE {:.6f}, worst group {:.4f}, cosine {:.6f}\n",
             difference.total.relative_rmse, difference.total.worst_group, difference.total.cosine);
  if (!options.json_file.empty()) write_json(options.json_file, document);
}

}  // namespace

void add_compare(CLI::App& app, int&) {
  auto* const command =
      app.add_subcommand("compare", "Compare the weights of two containers, tensor by tensor");
  const auto options = std::make_shared<CompareOptions>();
  command->add_option("first", options->first, "Container that counts as the original")
      ->type_name("A")
      ->check(a_path())
      ->required();
  command->add_option("second", options->second, "Container to compare with it")
      ->type_name("B")
      ->check(a_path())
      ->required();
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_option("-t,--threads", options->threads, "Threads (default: physical cores)")
      ->type_name("N")
      ->check(at_least(1));
  command->add_option("--json", options->json_file, "Also write it as JSON (- is standard output)")
      ->type_name("FILE")
      ->check(a_path());
  command->callback([options] { run_compare(*options); });
}

}  // namespace leyden::tools
