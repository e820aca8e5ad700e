#include "formats/recipe_file.h"

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

quant::RecipeRule parse_rule(const JsonField& field) {
  field.for_each_member([](const std::string& name, const JsonField& member) {
    if (name == "tensors" || name == "format") return;
    member.refuse("only 'tensors' and 'format' in a rule");
  });
  quant::RecipeRule rule = {field.string("tensors"), std::nullopt};
  const JsonField format = field.at("format");
  if (format.as_string() == "exact") return rule;
  rule.format = quant::weight_format_named(format.as_string());
  if (!rule.format) format.refuse("f32, bf16, int8, int4 or exact");
  return rule;
}

std::string known_names() {
  std::string names;
  for (const quant::Recipe& recipe : quant::named_recipes()) names += recipe.name + ", ";
  return names;
}

}  // namespace

quant::Recipe parse_recipe(std::string_view text, const std::string& origin) {
  const Json document = parse_json(text, origin);
  const JsonField root(document, origin);
  root.for_each_member([](const std::string& name, const JsonField& member) {
    if (name != "name" && name != "rules") member.refuse("only 'name' and 'rules' in a recipe");
  });
  quant::Recipe recipe = {root.string("name"), {}};
  if (recipe.name.empty()) root.at("name").refuse("a name");
  const JsonField rules = root.at("rules");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    recipe.rules.push_back(parse_rule(rules.element(i)));
  }
  const quant::Recipe* const known = quant::find_recipe(recipe.name);
  if (known != nullptr && known->rules != recipe.rules) {
    root.at("name").refuse("another name, or the rules of the recipe that leyden knows by it");
  }
  return recipe;
}

bool is_recipe_file(const std::string& name_or_file) {
  return quant::find_recipe(name_or_file) == nullptr && name_or_file.ends_with(".json");
}

quant::Recipe load_recipe(const std::string& name_or_file) {
  if (const quant::Recipe* named = quant::find_recipe(name_or_file)) return *named;
  if (!is_recipe_file(name_or_file)) {
    throw LoadError("recipe '" + name_or_file + "' is unknown, expected " + known_names() +
                    "or a .json file of rules");
  }
  return parse_recipe(read_text_file(name_or_file), name_or_file);
}

}  // namespace leyden::formats
