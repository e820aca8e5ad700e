#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "quant/recipe.h"

namespace leyden::formats {

/// A recipe written by hand:
///   {"name": "mine", "rules": [{"tensors": "*.experts.*", "format": "int4"},
///                              {"tensors": "*",           "format": "int8"}]}
/// The first rule whose pattern matches a tensor's name ("layers.3.experts.gate") decides; formats
/// are f32, bf16, int8, int4, and "exact" for the checkpoint's own numbers. Tensors that no rule
/// matches stay exact. The name isn't that of a named recipe with other rules.
/// Errors: LoadError naming field, value and what is possible.
quant::Recipe parse_recipe(std::string_view text, const std::string& origin);

/// Whether load_recipe() reads a file: no recipe has that name, and it ends in ".json".
bool is_recipe_file(const std::string& name_or_file);

/// The named recipe ("int4") or, for a value that ends in ".json", the one in that file.
/// Errors: LoadError; an unknown name lists the known ones.
quant::Recipe load_recipe(const std::string& name_or_file);

}  // namespace leyden::formats
