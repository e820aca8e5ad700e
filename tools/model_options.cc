#include "tools/model_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "formats/recipe_file.h"
#include "tools/demo_model.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

template <class Choice>
void add_choice(CLI::App& command, const std::string& flag, Choice& value,
                const std::vector<std::pair<std::string, Choice>>& names, const std::string& help) {
  std::vector<std::string> words;
  std::string current;
  for (const auto& [word, choice] : names) {
    words.push_back(word);
    if (choice == value) current = word;
  }
  const auto choose = [&value, names](const std::string& wanted) {
    for (const auto& [word, choice] : names) {
      if (word == wanted) value = choice;
    }
  };
  take_one_of(command.add_option_function<std::string>(flag, choose, help), words)
      ->default_str(current);
}

std::filesystem::path path_of(const ModelOptions& options) {
  return options.model.empty() ? find_demo_model() : std::filesystem::path(options.model);
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& options, bool requires_model) {
  auto* const model =
      command.add_option("-m,--model", options.model,
                         "Container, checkpoint directory or GGUF file" +
                             std::string(requires_model ? "" : " (default: the demo model)"));
  model->type_name("PATH")->check(a_path())->group("Model");
  if (requires_model) model->required();
  add_engine_options(command, options.engine);
}

void add_engine_options(CLI::App& command, EngineOptions& engine) {
  CLI::OptionDefaults& defaults = *command.option_defaults();
  const std::string group_before = defaults.get_group();
  defaults.group("Model");

  command
      .add_option(
          "--weights", engine.weights,
          "For a checkpoint: quantize while loading by this recipe "
          "(f32, bf16, int8, balanced, int4, small, or a JSON file; default: int8, but int4 "
          "for bench --synthetic and machine --plan v3.2|v3|lite)")
      ->type_name("RECIPE");
  add_choice(command, "--kv-cache", engine.kv_cache,
             {{"f32", KvCacheFormat::kF32},
              {"bf16", KvCacheFormat::kBf16},
              {"int8", KvCacheFormat::kInt8}},
             "Number format of the KV cache");
  add_choice(command, "--index-cache", engine.index_cache,
             {{"auto", IndexCacheFormat::kAuto},
              {"f32", IndexCacheFormat::kF32},
              {"bf16", IndexCacheFormat::kBf16},
              {"int8", IndexCacheFormat::kInt8}},
             "Number format of the indexer's keys (auto: int8, or f32 beside --kv-cache f32)");
  add_choice(command, "--attention", engine.attention,
             {{"auto", AttentionChoice::kAuto},
              {"sparse", AttentionChoice::kSparse},
              {"dense", AttentionChoice::kDense}},
             "Attend to what the indexer chose, or to everything");
  add_choice(command, "--mla", engine.mla,
             {{"auto", MlaChoice::kAuto},
              {"absorb", MlaChoice::kAbsorb},
              {"decompress", MlaChoice::kDecompress}},
             "Form of MLA; absorb gives the same bits for any --prefill-chunk");
  command
      .add_option("--prefill-chunk", engine.prefill_chunk,
                  "Tokens of a prompt computed together, 1 to 8192")
      ->type_name("C")
      ->check(at_least(1))
      ->capture_default_str();
  command
      .add_option("--context", engine.context,
                  "Tokens the context may hold (default: the model's maximum, of which plans count "
                  "4096 tokens at most)")
      ->type_name("N")
      ->check(at_least(1));
  command.add_option("-t,--threads", engine.threads, "Threads (default: physical cores)")
      ->type_name("N")
      ->check(at_least(1));
  add_choice(command, "--huge-pages", engine.huge_pages,
             {{"auto", HugePageChoice::kAuto},
              {"thp", HugePageChoice::kThp},
              {"hugetlb", HugePageChoice::kHugetlb},
              {"off", HugePageChoice::kOff}},
             "Pages for the weights");
  command.add_flag("--mmap", engine.mmap,
                   "Map a container's weights instead of reading them into huge pages");
  command.add_flag("--mlock", engine.mlock, "Keep the weights in RAM");
  add_choice(command, "--numa", engine.numa,
             {{"auto", NumaChoice::kAuto},
              {"split", NumaChoice::kSplit},
              {"whole", NumaChoice::kWhole},
              {"interleave", NumaChoice::kInterleave}},
             "How weights are divided among NUMA nodes");
  command
      .add_option("--cpus", engine.cpus, "Hardware threads to compute on, as 0-7,16 (default: any)")
      ->type_name("LIST");
  command.add_option("--nodes", engine.nodes, "NUMA nodes to compute on (default: any)")
      ->type_name("LIST");
  command
      .add_option("--routing-stats", engine.routing_stats,
                  "For --numa whole: how often experts are used, from eval --routing-stats")
      ->type_name("FILE")
      ->check(a_path());
  defaults.group(group_before);
}

void warn(const std::string& warning) {
  std::cerr << "leyden: warning: " << visible(warning) << '\n';
}

std::shared_ptr<const Engine> load_engine(const ModelOptions& options) {
  ProgressLine progress("loading");
  const std::filesystem::path path = path_of(options);
  EngineOptions engine_options = options.engine;
  engine_options.warn = warn;
  auto engine = Engine::load(
      path, engine_options,
      [&progress](std::uint64_t done, std::uint64_t total) { progress.update(done, total); });
  for (const std::string& warning : engine->warnings()) warn(warning);
  return engine;
}

formats::ModelConfig config_of(const ModelOptions& options) {
  const std::filesystem::path path = path_of(options);
  if (formats::is_container(path)) return formats::ContainerReader(path).config();
  return formats::Checkpoint::open(path)->config();
}

std::int64_t context_of(const ModelOptions& options, const formats::ModelConfig& config) {
  return options.engine.context > 0 ? options.engine.context : config.max_position_embeddings;
}

std::vector<std::filesystem::path> files_of(const ModelOptions& options) {
  const std::filesystem::path path = path_of(options);
  std::vector<std::filesystem::path> files = {path};
  if (!formats::is_container(path)) files = formats::Checkpoint::open(path)->files();
  std::ranges::copy(files_of(options.engine), std::back_inserter(files));
  return files;
}

std::vector<std::filesystem::path> files_of(const EngineOptions& options) {
  std::vector<std::filesystem::path> files;
  if (formats::is_recipe_file(options.weights)) files.emplace_back(options.weights);
  if (!options.routing_stats.empty()) files.push_back(options.routing_stats);
  return files;
}

std::shared_ptr<const Engine> load_reference(ModelOptions options) {
  const bool original = !formats::is_container(options.model);
  options.engine.weights = original ? "f32" : "";
  if (original) {
    options.engine.kv_cache = KvCacheFormat::kF32;
    options.engine.mmap = false;  // only a container can be mapped
  }
  return load_engine(options);
}

}  // namespace leyden::tools
