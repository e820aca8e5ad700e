#include "src/convert.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "formats/model_config.h"
#include "formats/recipe_file.h"
#include "src/runtime/cores.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace leyden::tools {
namespace {

struct ConvertOptions {
  std::string in, out, recipe = "int8";
  int threads = 0;
  bool dry_run = false;
};

double gigabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

void run_convert(const ConvertOptions& options) {
  const auto checkpoint = formats::Checkpoint::open(options.in);
  const quant::Recipe recipe = formats::load_recipe(options.recipe);
  const ConversionPlan plan = plan_conversion(*checkpoint, recipe);
  std::uint64_t source_bytes = 0;
  for (const formats::CheckpointTensor& tensor : checkpoint->tensors()) {
    source_bytes += tensor.bytes;
  }
  fmt::print("{}: {}, {:.2f} GB in {} tensors\n", options.in,
             name(checkpoint->config().architecture), gigabytes(source_bytes),
             checkpoint->tensors().size());
  fmt::print("recipe {}: {:.2f} GB in {} tensors\n", recipe.name, gigabytes(plan.tensor_bytes),
             plan.tensors.size());
  if (options.dry_run) return;

  runtime::ThreadTeam team(options.threads > 0 ? options.threads : runtime::usable_cores());
  const auto start = std::chrono::steady_clock::now();
  ProgressLine line("converting");
  const std::string fingerprint =
      convert(*checkpoint, recipe, options.out, team,
              [&line](std::uint64_t done, std::uint64_t total) { line.update(done, total); });
  line.clear();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{}: {:.2f} GB in {:.1f} s, fingerprint {}\n", options.out,
             gigabytes(std::filesystem::file_size(options.out)), seconds, fingerprint);
}

}  // namespace

void add_convert(CLI::App& app, int&) {
  auto* const command =
      app.add_subcommand("convert", "Quantize an original checkpoint into one leyden container");
  const auto options = std::make_shared<ConvertOptions>();
  command->add_option("--in", options->in, "Directory with config.json and safetensors")
      ->type_name("DIR")
      ->required();
  auto* const out = command
                        ->add_option("--out", options->out,
                                     "Container to write; it appears when it "
                                     "is complete")
                        ->type_name("FILE");
  command
      ->add_option("--recipe", options->recipe,
                   "Formats of the tensors: f32, bf16, int8, balanced, int4, small, or a JSON file")
      ->type_name("NAME|FILE.json")
      ->capture_default_str();
  command->add_option("-t,--threads", options->threads, "Threads (default: physical cores)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  auto* const dry_run =
      command->add_flag("--dry-run", options->dry_run, "Only say what would be written");
  command->callback([options, out, dry_run] {
    if (out->empty() && dry_run->empty()) throw CLI::RequiredError("--out");
    run_convert(*options);
  });
}

}  // namespace leyden::tools
