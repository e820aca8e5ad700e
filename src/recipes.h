#pragma once

#include <string>

#include "formats/checkpoint.h"
#include "quant/recipe.h"
#include "src/model/loaded_model.h"

namespace leyden {

/// Name and rules of a recipe, a line each: a text that tells it from others.
std::string to_text(const quant::Recipe& recipe);

/// The formats a recipe gives the tensors of a checkpoint. Norms and biases are f32; what a recipe
/// leaves exact keeps the checkpoint's own precision: bf16 if all its matrices are BF16, else f32.
model::FormatChooser format_chooser(const quant::Recipe& recipe,
                                    const formats::Checkpoint& checkpoint);

}  // namespace leyden
