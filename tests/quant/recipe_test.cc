#include "quant/recipe.h"

#include <gtest/gtest.h>

namespace leyden::quant {
namespace {

using enum WeightFormat;

WeightFormat chosen(std::string_view recipe, std::string_view tensor,
                    Layout layout = Layout::kTiles, WeightFormat exact = kBf16) {
  return format_for(*find_recipe(recipe), tensor, layout, exact);
}

TEST(RecipeTest, StarsMatchAnyRunOfCharacters) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "layers.0.attn.o"));
  EXPECT_TRUE(matches("layers.*.attn.*", "layers.12.attn.q_a"));
  EXPECT_TRUE(matches("*.experts.*", "layers.3.experts.gate"));
  EXPECT_TRUE(matches("a*b*b", "aXbYbb"));
  EXPECT_TRUE(matches("head", "head"));
  EXPECT_TRUE(matches("head**", "head"));
  EXPECT_FALSE(matches("head", "head.x"));
  EXPECT_FALSE(matches("head", "hea"));
  EXPECT_FALSE(matches("", "x"));
  EXPECT_FALSE(matches("*.attn", "layers.1.attn.o"));
  EXPECT_FALSE(matches("a*bc", "aXbcd"));
}

TEST(RecipeTest, TheFirstMatchingRuleDecides) {
  const Recipe recipe = {"mine",
                         {{"layers.1.*", kInt8}, {"layers.*", kInt4}, {"router", std::nullopt}}};
  EXPECT_EQ(format_for(recipe, "layers.1.ffn.up", Layout::kTiles, kF32), kInt8);
  EXPECT_EQ(format_for(recipe, "layers.10.ffn.up", Layout::kTiles, kF32), kInt4);
  EXPECT_EQ(format_for(recipe, "router", Layout::kTiles, kBf16), kBf16);
  EXPECT_EQ(format_for(recipe, "head", Layout::kTiles, kF32), kF32);
}

TEST(RecipeTest, RowsAndChoicesKeepTheCheckpointsNumbers) {
  for (const Recipe& recipe : named_recipes()) {
    for (const WeightFormat exact : {kF32, kBf16}) {
      EXPECT_EQ(format_for(recipe, "embed", Layout::kRows, exact), exact);
      EXPECT_EQ(format_for(recipe, "layers.0.attn_norm", Layout::kRows, exact), exact);
    }
    if (recipe.name == "f32") continue;
    EXPECT_EQ(chosen(recipe.name, "layers.3.router", Layout::kTiles, kF32), kF32);
    EXPECT_EQ(chosen(recipe.name, "layers.3.indexer.head_weights", Layout::kTiles, kBf16), kBf16);
  }
}

TEST(RecipeTest, NamedRecipesPutTheirFormatsWhereTheySay) {
  EXPECT_EQ(chosen("f32", "layers.3.router"), kF32);
  EXPECT_EQ(chosen("f32", "layers.3.experts.up"), kF32);
  EXPECT_EQ(chosen("bf16", "layers.3.experts.up", Layout::kTiles, kF32), kBf16);
  EXPECT_EQ(chosen("int8", "head"), kInt8);
  EXPECT_EQ(chosen("int8", "layers.3.experts.up"), kInt8);
  EXPECT_EQ(chosen("balanced", "layers.3.experts.up"), kInt4);
  EXPECT_EQ(chosen("balanced", "layers.3.shared.up"), kInt8);
  EXPECT_EQ(chosen("int4", "layers.3.experts.down"), kInt4);
  EXPECT_EQ(chosen("int4", "layers.3.attn.q_b"), kInt4);
  EXPECT_EQ(chosen("int4", "layers.3.attn.kv_a"), kInt8);
  EXPECT_EQ(chosen("int4", "layers.3.attn.k_b_absorbed"), kInt8);
  EXPECT_EQ(chosen("int4", "layers.3.attn.k_b"), kInt8);
  EXPECT_EQ(chosen("int4", "layers.3.attn.v_b"), kInt8);
  EXPECT_EQ(chosen("int4", "layers.3.indexer.q_b"), kInt8);
  EXPECT_EQ(chosen("int4", "head"), kInt8);
  EXPECT_EQ(chosen("small", "head"), kInt4);
  EXPECT_EQ(find_recipe("int5"), nullptr);
}

}  // namespace
}  // namespace leyden::quant
