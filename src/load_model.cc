#include "src/load_model.h"

#include <fmt/format.h>

#include <stdexcept>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "formats/recipe_file.h"
#include "src/convert.h"
#include "src/fingerprint.h"
#include "src/memory_plan.h"
#include "src/recipes.h"

namespace leyden {
namespace {

constexpr const char* kDefaultRecipe = "int8";

}  // namespace

std::unique_ptr<model::LoadedModel> load_model(const std::filesystem::path& path,
                                               const EngineOptions& options,
                                               runtime::ThreadTeam& team,
                                               const LoadProgress& progress) {
  const auto huge_pages = static_cast<runtime::HugePages>(options.huge_pages);
  if (formats::is_container(path)) {
    const formats::ContainerReader container(path);
    if (!options.weights.empty() && options.weights != container.recipe()) {
      throw std::runtime_error(
          fmt::format("{}: the container holds '{}' weights, so '{}' can't be had from it; convert "
                      "the original again, or leave the choice out",
                      container.name(), container.recipe(), options.weights));
    }
    std::uint64_t bytes = 0;
    for (const formats::StoredTensor& tensor : container.tensors()) bytes += tensor.bytes;
    require_memory(plan_memory(container.config(), options.mmap ? 0 : bytes, options),
                   container.name());
    return model::load_container(container, options.mmap, huge_pages, team, progress);
  }
  if (options.mmap) {
    throw std::runtime_error(path.string() +
                             ": only a leyden container can be mapped; convert it first");
  }
  const auto checkpoint = formats::Checkpoint::open(path);
  const quant::Recipe recipe =
      formats::load_recipe(options.weights.empty() ? kDefaultRecipe : options.weights);
  require_memory(
      plan_memory(checkpoint->config(), plan_conversion(*checkpoint, recipe).model_bytes, options),
      checkpoint->name());
  auto loaded = model::load_checkpoint(
      *checkpoint, recipe.name, format_chooser(recipe, *checkpoint), huge_pages, team, progress);
  loaded->fingerprint = fingerprint(*checkpoint, recipe);
  return loaded;
}

}  // namespace leyden
