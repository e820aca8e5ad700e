#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/tensor_spec.h"
#include "quant/weight_format.h"

namespace leyden::quant {

/// Packed matrices whose name matches `pattern` ('*' stands for any run of characters, dots
/// included) take `format`; without a format they keep the checkpoint's own numbers, unrounded.
struct RecipeRule {
  std::string pattern;
  std::optional<WeightFormat> format;

  bool operator==(const RecipeRule&) const = default;
};

/// Which tensor takes which format: the first rule that matches its name decides, and a name that
/// none matches stays exact. What is read by rows (embeddings, norms, biases) is always exact.
struct Recipe {
  std::string name;
  std::vector<RecipeRule> rules;
};

/// The recipes leyden knows by name:
///   f32       everything in f32, the reference
///   bf16      matrices in bf16; routers and the indexer's head weights exact, here and below
///   int8      every other matrix in int8
///   balanced  int8, but the routed experts in int4
///   int4      int4, but what makes and reads the latent (kv_a, k_b, v_b), the indexer, the head
///             and mtp.* in int8
///   small     int4 for every matrix that isn't exact
std::span<const Recipe> named_recipes();

/// The recipe of that name, or null.
const Recipe* find_recipe(std::string_view name);

/// The format of a tensor under leyden's name ("layers.3.experts.gate"). `exact` is the format that
/// holds the checkpoint's numbers without rounding: kBf16 for a BF16 tensor, otherwise kF32.
WeightFormat format_for(const Recipe& recipe, std::string_view tensor, Layout layout,
                        WeightFormat exact);

/// True when the whole text matches a pattern in which '*' stands for any run of characters.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace leyden::quant
