#include "formats/recipe_file.h"

#include <gmock/gmock.h>

#include "formats/load_error.h"

namespace leyden::formats {
namespace {

using quant::Layout;
using quant::WeightFormat;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(RecipeFileTest, RulesAreReadInOrder) {
  const quant::Recipe recipe = parse_recipe(
      R"({"name": "mine", "rules": [{"tensors": "head", "format": "exact"},
                                    {"tensors": "*.up", "format": "int4"},
                                    {"tensors": "*", "format": "int8"}]})",
      "mine.json");
  EXPECT_EQ(recipe.name, "mine");
  ASSERT_EQ(recipe.rules.size(), 3u);
  const auto chosen = [&](const char* tensor) {
    return quant::format_for(recipe, tensor, Layout::kTiles, WeightFormat::kBf16);
  };
  EXPECT_EQ(chosen("head"), WeightFormat::kBf16);
  EXPECT_EQ(chosen("layers.0.ffn.up"), WeightFormat::kInt4);
  EXPECT_EQ(chosen("layers.0.ffn.down"), WeightFormat::kInt8);
}

TEST(RecipeFileTest, MistakesAreNamed) {
  const auto refusal = [](const char* text, const auto& expected) {
    EXPECT_THAT([&] { parse_recipe(text, "r.json"); }, ThrowsMessage<LoadError>(expected)) << text;
  };
  refusal(R"({"rules": []})", AllOf(HasSubstr("r.json"), HasSubstr("name")));
  refusal(R"({"name": "x"})", HasSubstr("rules"));
  refusal(R"({"name": "x", "rules": {}})", HasSubstr("rules"));
  refusal(R"({"name": "x", "rules": [], "default": "int8"})", HasSubstr("default"));
  refusal(R"({"name": "", "rules": []})", HasSubstr("field 'name' is \"\", expected a name"));
  refusal(
      R"({"name": "x", "rules": [{"tensors": "*", "format": "int4", "levels": 7}]})",
      HasSubstr("field 'rules[0].levels' is 7, expected only 'tensors' and 'format' in a rule"));
  refusal(R"({"name": "x", "rules": [{"tensors": "*"}]})", HasSubstr("rules[0].format"));
  refusal(R"({"name": "x", "rules": [{"tensors": "*", "format": "int5"}]})",
          AllOf(HasSubstr("rules[0].format"), HasSubstr("int5"),
                HasSubstr("f32, bf16, int8, int4 or exact")));
}

TEST(RecipeFileTest, KnownNamesAreThoseOfTheKnownRules) {
  EXPECT_THAT(
      [] {
        parse_recipe(R"({"name": "f32", "rules": [{"tensors": "*", "format": "int4"}]})", "r.json");
      },
      ThrowsMessage<LoadError>(
          HasSubstr("r.json: field 'name' is \"f32\", expected another name")));
  EXPECT_EQ(parse_recipe(R"({"name": "f32", "rules": [{"tensors": "*", "format": "f32"}]})", "r")
                .rules.size(),
            1u);
}

TEST(RecipeFileTest, NamesComeFirstAndUnknownOnesListTheKnown) {
  EXPECT_EQ(load_recipe("int4").name, "int4");
  EXPECT_THAT([] { load_recipe("int5"); },
              ThrowsMessage<LoadError>(
                  AllOf(HasSubstr("int5"), HasSubstr("balanced"), HasSubstr(".json"))));
  EXPECT_THAT([] { load_recipe("/nowhere/r.json"); },
              ThrowsMessage<LoadError>(HasSubstr("/nowhere/r.json")));
}

}  // namespace
}  // namespace leyden::formats
