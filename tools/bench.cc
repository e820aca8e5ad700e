#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <iostream>

#include "formats/model_config.h"
#include "simd/kernels.h"
#include "src/benchmark.h"
#include "src/model/synthetic.h"
#include "tools/bench_report.h"
#include "tools/commands.h"
#include "tools/demo_model.h"
#include "tools/json_output.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"

namespace leyden::tools {
namespace {

struct BenchOptions {
  ModelOptions model;
  std::string synthetic, layers = "1+1", format = "md", json_file;
  std::vector<int> prefill, decode, threads;
  std::vector<std::int32_t> depths = {0};
  int repeat = 5;
};

std::pair<int, int> parse_layers(const std::string& text) {
  int dense = 0, moe = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d+%4d%n", &dense, &moe, &used) == 2 &&
      used == static_cast<int>(text.size()) && dense >= 0 && moe >= 0 && dense + moe > 0) {
    return {dense, moe};
  }
  throw CLI::ValidationError("--layers", "'" + text + "' is not of the form DENSE+MOE, as 1+1");
}

formats::ModelConfig config_of(const BenchOptions& options) {
  if (options.synthetic.empty()) return config_of(options.model);
  const auto [dense, moe] = parse_layers(options.layers);
  return model::synthetic_config(options.synthetic, dense, moe);
}

std::shared_ptr<const Engine> load(const BenchOptions& options, std::string& model_name) {
  if (options.synthetic.empty()) {
    model_name = options.model.model.empty() ? "demo" : options.model.model;
    return load_engine(options.model);
  }
  const auto [dense, moe] = parse_layers(options.layers);
  model_name = fmt::format("{} {}+{}", options.synthetic, dense, moe);
  ProgressLine line("making weights");
  EngineOptions engine_options = options.model.engine;
  engine_options.warn = warn;
  auto engine = Engine::synthetic(
      options.synthetic, dense, moe, engine_options,
      [&line](std::uint64_t done, std::uint64_t total) { line.update(done, total); });
  for (const std::string& warning : engine->warnings()) warn(warning);
  return engine;
}

void run_bench(BenchOptions options) {
  const ReportFormat format = parse_report_format(options.format);
  if (options.prefill.empty() && options.decode.empty()) {
    options.prefill = {512};
    options.decode = {32};
  }
  std::erase(options.prefill, 0);
  std::erase(options.decode, 0);
  if (options.prefill.empty() && options.decode.empty()) {
    throw CLI::ValidationError("--prefill, --decode", "there is no test to run");
  }
  std::vector<ModelOptions> models;
  if (options.synthetic.empty()) models.push_back(options.model);
  check_json_target(options.json_file, files_of(options.model.engine), models);
  BenchmarkPlan plan = {options.prefill, options.decode, options.depths, options.threads,
                        options.repeat};
  require_room(plan, context_of(options.model, config_of(options)));
  std::string model_name;
  const auto engine = load(options, model_name);
  if (plan.threads.empty()) plan.threads = {engine->options().threads};

  Report report(format, model_name, engine->options().weights,
                std::string(simd::name(simd::kernels().isa)), human_output(options.json_file));
  // What was measured before something failed isn't lost.
  std::exception_ptr failure;
  try {
    run_benchmark(
        engine, plan, [&](const BenchmarkRow& row) { report.add(row); },
        [](const std::string& warning) { std::cerr << "leyden: " << warning << '\n'; });
  } catch (...) {
    failure = std::current_exception();
    if (report.json().empty()) throw;
  }
  report.finish();
  if (!options.json_file.empty()) write_json(options.json_file, report.json());
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

void add_bench(CLI::App& app, int&) {
  auto* const command = app.add_subcommand(
      "bench", "Measure tokens per second, beside what this machine can do at most");
  const auto options = std::make_shared<BenchOptions>();
  auto* const synthetic = take_one_of(
      command->add_option("--synthetic", options->synthetic,
                          "Random weights in a model's true widths, made in memory, instead of -m"),
      {"v3.2", "v3", "lite"});
  command->add_option("--layers", options->layers, "Layers of the synthetic model")
      ->type_name("DENSE+MOE")
      ->needs(synthetic)
      ->capture_default_str();
  auto* const recipe =
      command
          ->add_option("--recipe", options->model.engine.weights,
                       "The same as --weights (synthetic weights: int4 by default)")
          ->type_name("RECIPE");
  const auto list = [&](const std::string& flag, auto& values, const std::string& help) {
    command->add_option(flag, values, help)->delimiter(',')->type_name("N[,N]")->check(at_least(0));
  };
  list("--prefill", options->prefill,
       "Prompt lengths (default, with --decode: 512 and 32); 0 leaves the test out");
  list("--decode", options->decode, "Numbers of tokens to generate; 0 leaves the test out");
  list("--depth", options->depths, "Tokens in the cache before (default: 0)");
  command->add_option("--repeat", options->repeat, "Samples per row; the median is reported")
      ->type_name("N")
      ->check(between(1, 1000))
      ->capture_default_str();
  take_one_of(command->add_option("--format", options->format, "Of the report on standard output"),
              {"md", "json", "jsonl", "csv"})
      ->capture_default_str();
  command->add_option("--json", options->json_file, "Also write all rows as JSON")
      ->type_name("FILE")
      ->check(a_path());
  add_model_options(*command, options->model);
  synthetic->excludes(command->get_option("--model"));
  recipe->excludes(command->get_option("--weights"));
  command->remove_option(command->get_option("--threads"));
  command
      ->add_option("-t,--threads", options->threads,
                   "Thread counts, one row each (default: physical cores)")
      ->delimiter(',')
      ->type_name("N[,N]")
      ->check(between(1, EngineOptions::kMostThreads));
  command->callback([options] { run_bench(*options); });
}

}  // namespace leyden::tools
