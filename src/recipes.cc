#include "src/recipes.h"

#include <fmt/format.h>

namespace leyden {

std::string to_text(const quant::Recipe& recipe) {
  std::string text = fmt::format("recipe {}\n", recipe.name);
  for (const quant::RecipeRule& rule : recipe.rules) {
    text += fmt::format("rule {} {}\n", rule.pattern, rule.format ? name(*rule.format) : "exact");
  }
  return text;
}

model::FormatChooser format_chooser(const quant::Recipe& recipe,
                                    const formats::Checkpoint& checkpoint) {
  return [recipe, &checkpoint](const model::PlannedTensor& planned) {
    const bool is_vector = planned.layout == quant::Layout::kRows && planned.rows == 1;
    if (is_vector) return quant::WeightFormat::kF32;
    bool is_bf16 = true;
    for (std::int64_t m = 0; is_bf16 && m < planned.count; ++m) {
      const formats::CheckpointTensor* const source = checkpoint.find(planned.source.name_of(m));
      is_bf16 = source != nullptr && source->type == formats::TensorType::kBf16;
    }
    return quant::format_for(recipe, planned.name, planned.layout,
                             is_bf16 ? quant::WeightFormat::kBf16 : quant::WeightFormat::kF32);
  };
}

}  // namespace leyden
