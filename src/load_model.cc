#include "src/load_model.h"

#include <fmt/format.h>

#include <stdexcept>

#include "formats/recipe_file.h"
#include "src/convert.h"
#include "src/fingerprint.h"
#include "src/memory_plan.h"
#include "src/model/planned_weights.h"
#include "src/model/tensor_check.h"
#include "src/recipes.h"
#include "src/weight_placement.h"

namespace leyden {
namespace {

constexpr const char* kDefaultRecipe = "int8";

std::unique_ptr<model::LoadedModel> load_from_container(const std::filesystem::path& path,
                                                        const EngineOptions& options,
                                                        runtime::ThreadTeam& team,
                                                        const LoadProgress& progress) {
  const formats::ContainerReader container(path);
  check_options(options, container);
  // A container for another model is refused before anything is made of its shapes.
  const std::vector<quant::TensorSpec> specs = model::checked_tensors(container);
  if (options.mmap) {
    const model::PlannedWeights weights(container.config(), specs, nullptr, container.name());
    require_memory(plan_memory(container.config(), *weights, 0, options, team.crew()),
                   container.name());
    return model::map_container(container, options.mlock);
  }
  return model::load_container(
      container,
      place_weights(specs, container.config(), options, expert_counts(container, options),
                    team.crew(), container.name()),
      team, progress);
}

std::unique_ptr<model::LoadedModel> load_from_checkpoint(const std::filesystem::path& path,
                                                         const EngineOptions& options,
                                                         runtime::ThreadTeam& team,
                                                         const LoadProgress& progress) {
  const auto checkpoint = formats::Checkpoint::open(path);
  check_options(options, *checkpoint);
  const quant::Recipe recipe =
      formats::load_recipe(options.weights.empty() ? kDefaultRecipe : options.weights);
  const model::FormatChooser choose = format_chooser(recipe, *checkpoint);
  auto loaded = model::load_checkpoint(
      *checkpoint, recipe.name, choose,
      place_weights(model::tensor_specs(checkpoint->config(), choose), checkpoint->config(),
                    options, expert_counts(checkpoint->config(), options), team.crew(),
                    checkpoint->name()),
      team, progress);
  loaded->fingerprint = fingerprint(*checkpoint, recipe);
  return loaded;
}

}  // namespace

void check_options(const EngineOptions& options, const formats::ModelConfig& config,
                   const std::string& source) {
  const std::int64_t most = config.max_position_embeddings;
  if (options.context > most) {
    throw std::runtime_error(
        fmt::format("context is {}, but {} was made for at most {} tokens "
                    "(max_position_embeddings)",
                    options.context, source, most));
  }
  if (options.attention == AttentionChoice::kSparse && !config.has_indexer()) {
    throw std::runtime_error(fmt::format(
        "sparse attention was asked for, but {} has no indexer (config.json: index_topk)", source));
  }
}

void check_options(const EngineOptions& options, const formats::ContainerReader& container) {
  if (!options.weights.empty() && options.weights != container.recipe()) {
    throw std::runtime_error(
        fmt::format("{}: the container holds '{}' weights, so '{}' can't be had from it; convert "
                    "the original again, or leave the choice out",
                    container.name(), container.recipe(), options.weights));
  }
  if (options.mmap) container.map();
  check_options(options, container.config(), container.name());
}

void check_options(const EngineOptions& options, const formats::Checkpoint& checkpoint) {
  if (options.mmap) {
    throw std::runtime_error(checkpoint.name() +
                             ": only a leyden container can be mapped; convert it first");
  }
  check_options(options, checkpoint.config(), checkpoint.name());
}

std::unique_ptr<model::LoadedModel> load_model(const std::filesystem::path& path,
                                               const EngineOptions& options,
                                               runtime::ThreadTeam& team,
                                               const LoadProgress& progress) {
  auto loaded = formats::is_container(path) ? load_from_container(path, options, team, progress)
                                            : load_from_checkpoint(path, options, team, progress);
  if (options.mlock) {
    for (const runtime::Memory& arena : loaded->arenas) arena.lock();
  }
  return loaded;
}

}  // namespace leyden
