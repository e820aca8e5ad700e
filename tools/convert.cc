#include "src/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <optional>

#include "formats/json.h"
#include "formats/model_config.h"
#include "formats/output_file.h"
#include "formats/recipe_file.h"
#include "src/model_costs.h"
#include "src/runtime/cores.h"
#include "src/runtime/elapsed.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/json_output.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"
#include "tools/units.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

struct CommandOptions {
  std::string in, recipe = "int8", calibration, routing_stats, report;
  ConvertOptions convert;
  int threads = 0;
  bool dry_run = false;
};

std::string duration_text(double seconds) {
  if (seconds < 90) return fmt::format("{:.1f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::uint64_t print_plan(const CommandOptions& options, const formats::Checkpoint& checkpoint,
                         const quant::Recipe& recipe, const ConversionPlan& plan) {
  std::uint64_t source_bytes = 0;
  for (const formats::CheckpointTensor& tensor : checkpoint.tensors()) source_bytes += tensor.bytes;
  fmt::print("{}: {}, {:.3f} GB in {} tensors\n", options.in,
             name(checkpoint.config().architecture), gigabytes(source_bytes),
             checkpoint.tensors().size());
  fmt::print("recipe {}: {:.3f} GB in {} tensors", visible(recipe.name),
             gigabytes(plan.tensor_bytes), plan.tensors.size());
  if (plan.model_bytes < plan.tensor_bytes) {
    fmt::print(", {:.3f} GB of it for multi-token prediction",
               gigabytes(plan.tensor_bytes - plan.model_bytes));
  }
  fmt::print("\n");
  if (!plan.left_out.empty()) {
    fmt::print(
        "{} tensors of the checkpoint belong to no part of the model and are left out, such "
        "as {}\n",
        plan.left_out.size(), visible(plan.left_out.front()));
  }
  if (plan.n_calibrated < plan.n_int4) {
    fmt::print(
        "the calibration covers {} of {} matrices that become int4; the others are rounded "
        "without one\n",
        plan.n_calibrated, plan.n_int4);
  }
  return source_bytes;
}

/// A rule for nothing is most likely mistyped. Named recipes are for all models.
void warn_of_idle_rules(const quant::Recipe& recipe, const ConversionPlan& plan) {
  for (const quant::RecipeRule& rule : recipe.rules) {
    const bool is_idle = std::ranges::none_of(plan.tensors, [&](const quant::TensorSpec& spec) {
      return spec.layout != quant::Layout::kRows && quant::matches(rule.pattern, spec.name);
    });
    if (!is_idle) continue;
    warn(fmt::format(
        "recipe {}: rule '{}' does nothing, as it matches no packed matrix of this model",
        recipe.name, rule.pattern));
  }
}

void print_costs(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                 const ConversionPlan& plan, std::uint64_t source_bytes, int threads) {
  const ModelCosts costs =
      model_costs(checkpoint.config(), plan.model_tensors(), checkpoint.name());
  fmt::print("bits a weight           {:>9.2f}\n",
             8 * static_cast<double>(costs.tensor_bytes) / costs.weights);
  fmt::print("weights read per token  {:>9.3f} GB\n", costs.bytes_per_token / 1e9);
  for (const ModelCosts::Memory& memory : costs.memory) {
    fmt::print("memory to run           {:>9.3f} GB with {} tokens of context\n",
               gigabytes(memory.total), memory.context);
  }
  const double seconds = estimate_seconds(checkpoint, recipe) / threads;
  fmt::print(
      "time to convert         {:>9} with {} threads ({:.0f} MB/s of input), by a sample; "
      "disks may take longer\n",
      duration_text(seconds), threads, static_cast<double>(source_bytes) / seconds / 1e6);
}

void write_report(const CommandOptions& options, const quant::Recipe& recipe,
                  const ConvertResult& result) {
  nlohmann::json report = {{"in", options.in},
                           {"out", options.convert.out.string()},
                           {"recipe", recipe.name},
                           {"fingerprint", result.fingerprint},
                           {"total", figures_json(result.total)},
                           {"tensors", nlohmann::json::array()}};
  for (const TensorLoss& loss : result.losses) {
    nlohmann::json entry = figures_json(loss.figures);
    entry["name"] = loss.spec.name;
    entry["format"] = name(loss.spec.format);
    entry["shape"] = {loss.spec.count, loss.spec.rows, loss.spec.cols};
    report["tensors"].push_back(std::move(entry));
  }
  write_json(options.report, report);
}

/// Errors: formats::WriteError if the report would replace the container, or what that is made
/// from.
void check_report(const CommandOptions& options, const formats::Checkpoint& checkpoint) {
  std::vector<std::filesystem::path> taken = inputs_of(checkpoint, options.convert);
  const std::string out = formats::place_of(options.convert.out).string();
  for (const char* suffix : {"", ".partial", ".partial.journal"}) taken.emplace_back(out + suffix);
  formats::spare_inputs(options.report, taken);
  check_json_target(options.report, {});
}

/// Ctrl-C was pressed.
struct Interrupted : std::exception {};

/// Errors: Interrupted.
void run_convert(CommandOptions options) {
  const auto checkpoint = formats::Checkpoint::open(options.in);
  const quant::Recipe recipe = formats::load_recipe(options.recipe);
  if (formats::is_recipe_file(options.recipe)) {
    options.convert.other_inputs.emplace_back(options.recipe);
  }
  std::optional<Calibration> calibration;
  if (!options.calibration.empty()) {
    options.convert.calibration = &calibration.emplace(Calibration::load(options.calibration));
  }
  if (!options.routing_stats.empty()) {
    options.convert.other_inputs.emplace_back(options.routing_stats);
    options.convert.expert_counts =
        model::parse_expert_counts(formats::read_text_file(options.routing_stats),
                                   checkpoint->config(), options.routing_stats);
  }
  const ConversionPlan plan = plan_conversion(*checkpoint, recipe, options.convert.calibration);
  const std::uint64_t source_bytes = print_plan(options, *checkpoint, recipe, plan);
  if (formats::is_recipe_file(options.recipe)) warn_of_idle_rules(recipe, plan);
  const int threads = options.threads > 0 ? options.threads : runtime::usable_cores();
  if (options.dry_run) {
    check_companions(*checkpoint);
    return print_costs(*checkpoint, recipe, plan, source_bytes, threads);
  }

  if (!options.report.empty()) check_report(options, *checkpoint);
  runtime::ThreadTeam team(threads);
  options.convert.measure = !options.report.empty();
  const auto start = runtime::Clock::now();
  const InterruptGuard interrupt;
  ProgressLine line("converting");
  const ConvertResult result =
      convert(*checkpoint, recipe, options.convert, team,
              [&](std::uint64_t done, std::uint64_t total, std::string_view tensor) {
                if (interrupt.requested()) throw Interrupted();
                line.update(done, total, tensor);
              });
  line.clear();
  const double seconds = runtime::seconds_since(start);
  const std::string out = options.convert.out.string();
  if (result.resumed_bytes > 0) {
    fmt::print("{}: {:.3f} GB were there already and fit their checksums\n", out,
               gigabytes(result.resumed_bytes));
  }
  fmt::print("{}: {:.3f} GB in {:.1f} s ({:.0f} MB/s of input), fingerprint {}\n", out,
             gigabytes(std::filesystem::file_size(out)), seconds,
             static_cast<double>(source_bytes) / seconds / 1e6, result.fingerprint);
  if (result.learning_share > 0) {
    fmt::print("learning int4 levels took {:.1f} % of the threads' time\n",
               100 * result.learning_share);
  }
  if (options.report.empty()) return;
  fmt::print("loss: relative RMSE {:.5f}, worst group {:.3f}, cosine {:.6f}\n",
             result.total.relative_rmse, result.total.worst_group, result.total.cosine);
  write_report(options, recipe, result);
}

}  // namespace

void add_convert(CLI::App& app, int& status) {
  auto* const command =
      app.add_subcommand("convert", "Quantize an original checkpoint into one leyden container");
  const auto options = std::make_shared<CommandOptions>();
  command
      ->add_option("--in", options->in,
                   "Directory with config.json and safetensors, or a GGUF file (its first part)")
      ->type_name("DIR|FILE.gguf")
      ->check(a_path())
      ->required();
  auto* const out = command
                        ->add_option("--out", options->convert.out,
                                     "Container to write; it appears when it "
                                     "is complete")
                        ->type_name("FILE")
                        ->check(a_path());
  command
      ->add_option("--recipe", options->recipe,
                   "Formats of the tensors: f32, bf16, int8, balanced, int4, small, or a JSON file")
      ->type_name("NAME|FILE.json")
      ->capture_default_str();
  command
      ->add_option("--calibration", options->calibration,
                   "What 'leyden calibrate' recorded: int4 rounds best where activations are large")
      ->type_name("FILE")
      ->check(a_path());
  command
      ->add_option("--routing-stats", options->routing_stats,
                   "What 'leyden eval --routing-stats' has counted, to be kept in the container: "
                   "--numa whole balances experts by it")
      ->type_name("FILE")
      ->check(a_path());
  command->add_flag("--compress", options->convert.compress,
                    "Store tensors as zstd frames: smaller for transport, but it can't be mapped");
  command->add_flag(
      "--resume", options->convert.resume,
      "Go on where an interrupted conversion with the same options stopped, or refuse "
      "if they differ; keep what is done if this one is interrupted by an error or "
      "Ctrl-C");
  command
      ->add_option("--report", options->report,
                   "Compare every tensor with the original; write the figures as JSON")
      ->type_name("FILE.json")
      ->check(a_path());
  command->add_option("-t,--threads", options->threads, "Threads (default: physical cores)")
      ->type_name("N")
      ->check(at_least(1));
  auto* const dry_run = command->add_flag("--dry-run", options->dry_run,
                                          "Only say what would be written, what running it would "
                                          "take, and how long it would take to convert");
  command->callback([options, out, dry_run, &status] {
    if (out->empty() && dry_run->empty()) throw CLI::RequiredError("--out");
    try {
      run_convert(*options);
    } catch (const Interrupted&) {
      status = kInterruptStatus;
    }
  });
}

}  // namespace leyden::tools
