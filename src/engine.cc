#include "src/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "formats/load_error.h"
#include "formats/recipe_file.h"
#include "formats/tokenizer_file.h"
#include "src/engine_impl.h"
#include "src/load_model.h"
#include "src/model/forward.h"
#include "src/model/synthetic.h"
#include "src/placement_proof.h"
#include "src/weight_placement.h"

namespace leyden {
namespace {

void check_options(const EngineOptions& options) {
  const auto refuse = [](const std::string& what) { throw std::runtime_error(what); };
  constexpr int kMostThreads = EngineOptions::kMostThreads, kMaxChunk = 8192;
  if (options.threads < 0 || options.threads > kMostThreads) {
    refuse(fmt::format("threads is {}, expected 1 to {}", options.threads, kMostThreads));
  }
  if (options.prefill_chunk < 1 || options.prefill_chunk > kMaxChunk) {
    refuse(fmt::format("prefill chunk is {}, expected 1 to {}", options.prefill_chunk, kMaxChunk));
  }
  if (options.context < 0)
    refuse(fmt::format("context is {}, expected 1 or more", options.context));
}

/// Fills in what the model decides, and refuses what it can't do.
void settle_options(EngineOptions& options, const model::LoadedModel& loaded) {
  check_options(options, loaded.config, loaded.source);
  if (options.context == 0) options.context = loaded.config.max_position_embeddings;
  options.prefill_chunk =
      static_cast<int>(std::min<std::int64_t>(options.prefill_chunk, options.context));
  options.weights = loaded.recipe;
}

/// DeepSeek's advice for V3 and later where a checkpoint gives none of its own.
constexpr float kTemperature = 0.6f, kTopP = 0.95f;

void settle_generation(Engine::Impl& impl) {
  if (impl.model->generation_config) {
    impl.generation = text::parse_generation_config(
        *impl.model->generation_config, impl.model->source + ": generation_config.json");
  } else {
    impl.generation.sampling.temperature = kTemperature;
    impl.generation.sampling.top_p = kTopP;
  }
  for (const int id : impl.model->config.eos_token_ids) {
    auto& ends = impl.generation.stop_tokens;
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  }
}

/// Compares where the pages lie with the plan, if there was more than one node to choose from.
std::vector<std::string> placement_warnings(const model::LoadedModel& loaded) {
  std::vector<std::string> warnings;
  for (const runtime::Memory& arena : loaded.arenas) {
    if (arena.home().kind == runtime::MemoryHome::Kind::kFirstTouch) return warnings;
  }
  for (const PlacementProof& arena : prove_placement(loaded)) {
    if (!arena.reason.empty()) warnings.push_back(warning(arena, "weights"));
  }
  return warnings;
}

}  // namespace

model::Attention::Settings attention_settings(const EngineOptions& options) {
  model::Attention::Settings settings;
  settings.attention = static_cast<model::AttentionMode>(options.attention);
  settings.mla = static_cast<model::MlaMode>(options.mla);
  settings.cache.kv = static_cast<simd::KvFormat>(options.kv_cache);
  switch (options.index_cache) {
    case IndexCacheFormat::kAuto:
      settings.cache.index = options.kv_cache == KvCacheFormat::kF32 ? simd::IndexFormat::kF32
                                                                     : simd::IndexFormat::kInt8;
      break;
    case IndexCacheFormat::kF32:
      settings.cache.index = simd::IndexFormat::kF32;
      break;
    case IndexCacheFormat::kBf16:
      settings.cache.index = simd::IndexFormat::kBf16;
      break;
    case IndexCacheFormat::kInt8:
      settings.cache.index = simd::IndexFormat::kInt8;
      break;
  }
  return settings;
}

std::shared_ptr<model::Forward> Engine::Impl::forward() const {
  const std::lock_guard lock(making);  // not `turn`, which a prompt of another session may hold
  auto forward = made.lock();
  if (!forward) {
    forward = std::make_shared<model::Forward>(
        model->config, model->weights, attention_settings(options), options.prefill_chunk, *team);
    made = forward;
  }
  return forward;
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

std::unique_ptr<Engine::Impl> Engine::prepare(const EngineOptions& options) {
  check_options(options);
  simd::kernels();  // a bad LEYDEN_ISA should not wait until the weights are read
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  const runtime::Crew crew =
      runtime::plan_crew(runtime::read_topology(), {options.threads, options.cpus, options.nodes});
  impl->options.threads = crew.size();
  impl->team = std::make_unique<runtime::ThreadTeam>(crew);
  return impl;
}

std::shared_ptr<const Engine> Engine::finish(std::unique_ptr<Impl> impl) {
  settle_options(impl->options, *impl->model);
  if (impl->model->tokenizer_json) {
    impl->tokenizer.emplace(formats::parse_tokenizer_json(
        *impl->model->tokenizer_json, impl->model->source + ": tokenizer.json"));
    impl->chat_format = text::choose_chat_format(*impl->tokenizer, impl->model->config.model_type,
                                                 impl->model->has_chat_template);
  }
  settle_generation(*impl);
  impl->warnings = placement_warnings(*impl->model);
  return std::shared_ptr<const Engine>(new Engine(std::move(impl)));
}

std::shared_ptr<const Engine> Engine::load(const std::filesystem::path& path,
                                           const EngineOptions& options,
                                           const LoadProgress& progress) {
  std::unique_ptr<Impl> impl = prepare(options);
  const auto bound = impl->team->bind_caller();
  impl->model = load_model(path, impl->options, *impl->team, progress);
  return finish(std::move(impl));
}

std::shared_ptr<const Engine> Engine::synthetic(const std::string& shape, int dense_layers,
                                                int moe_layers, const EngineOptions& options,
                                                const LoadProgress& progress) {
  std::unique_ptr<Impl> impl = prepare(options);
  const auto bound = impl->team->bind_caller();
  const formats::ModelConfig config = model::synthetic_config(shape, dense_layers, moe_layers);
  const quant::Recipe recipe =
      formats::load_recipe(options.weights.empty() ? "int4" : options.weights);
  const std::vector<quant::TensorSpec> specs = model::synthetic_specs(config, recipe);
  impl->model = model::make_synthetic(
      config, recipe,
      place_weights(specs, config, impl->options, {}, impl->team->crew(), "the synthetic model"),
      *impl->team, progress);
  return finish(std::move(impl));
}

std::shared_ptr<const Engine> Engine::with(const EngineOptions& options) const {
  std::unique_ptr<Impl> impl = prepare(options);
  impl->model = impl_->model;
  return finish(std::move(impl));
}

const EngineOptions& Engine::options() const { return impl_->options; }

const std::vector<std::string>& Engine::warnings() const { return impl_->warnings; }

const formats::ModelConfig& Engine::config() const { return impl_->model->config; }

const std::string& Engine::fingerprint() const { return impl_->model->fingerprint; }

bool Engine::has_tokenizer() const { return impl_->tokenizer.has_value(); }

const text::Tokenizer& Engine::tokenizer() const {
  if (!impl_->tokenizer) {
    throw formats::LoadError(impl_->model->source, "there is no tokenizer.json");
  }
  return *impl_->tokenizer;
}

std::int32_t Engine::vocab_size() const { return config().vocab_size; }

std::optional<std::int32_t> Engine::begin_token() const { return config().bos_token_id; }

text::ChatFormat Engine::chat_format() const { return impl_->chat_format; }

const std::vector<std::int32_t>& Engine::stop_tokens() const {
  return impl_->generation.stop_tokens;
}

const text::SamplerOptions& Engine::recommended_sampling() const {
  return impl_->generation.sampling;
}

}  // namespace leyden
