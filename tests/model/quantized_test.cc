#include <cmath>

#include "formats/recipe_file.h"
#include "src/recipes.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

std::vector<double> softmax(std::span<const float> logits) {
  double max = -1e30, sum = 0;
  for (const float x : logits) max = std::max(max, double{x});
  std::vector<double> p;
  for (const float x : logits) sum += p.emplace_back(std::exp(x - max));
  for (double& x : p) x /= sum;
  return p;
}

/// Mean over positions of KL(golden || found).
double mean_kl(const Golden& golden, const std::vector<float>& found, std::size_t vocab) {
  double total = 0;
  for (std::size_t t = 0; t < golden.tokens.size(); ++t) {
    const auto p = softmax(std::span(golden.logits).subspan(t * vocab, vocab));
    const auto q = softmax(std::span(found).subspan(t * vocab, vocab));
    for (std::size_t i = 0; i < vocab; ++i) {
      if (p[i] > 0) total += p[i] * std::log(p[i] / q[i]);
    }
  }
  return total / static_cast<double>(golden.tokens.size());
}

double mean_kl_of(const std::string& recipe_name, CacheFormats cache) {
  runtime::ThreadTeam team(2);
  const Golden golden("v32-calm-fp8");
  const auto checkpoint = formats::Checkpoint::open(golden_checkpoint("v32-calm-fp8"));
  const quant::Recipe recipe = formats::load_recipe(recipe_name);
  const auto model = load_whole(*checkpoint, format_chooser(recipe, *checkpoint), team);
  const auto logits =
      logits_of(*model, {AttentionMode::kAuto, MlaMode::kAuto, cache}, golden.tokens, 64, team);
  const double kl = mean_kl(golden, logits, static_cast<std::size_t>(model->config.vocab_size));
  testing::Test::RecordProperty("mean_kl", std::to_string(kl));
  return kl;
}

constexpr CacheFormats kBf16Cache = {simd::KvFormat::kBf16, simd::IndexFormat::kInt8};
constexpr CacheFormats kInt8Cache = {simd::KvFormat::kInt8, simd::IndexFormat::kInt8};

// The limits are those the project set itself; the official code in BF16 has 5.9e-4, in FP8 8.5e-3
// (NUMERICS 10).
TEST(QuantizedModel, Int8StaysCloseToTheOracle) { EXPECT_LE(mean_kl_of("int8", kBf16Cache), 2e-3); }
TEST(QuantizedModel, Int8CacheStaysCloseToTheOracle) {
  EXPECT_LE(mean_kl_of("int8", kInt8Cache), 2e-3);
}
TEST(QuantizedModel, Int4StaysCloseToTheOracle) { EXPECT_LE(mean_kl_of("int4", kBf16Cache), 3e-2); }
// FP8 weights with power-of-two scales are bf16 numbers (NUMERICS 7.3).
TEST(QuantizedModel, Bf16HoldsTheFp8OriginalsExactly) {
  constexpr CacheFormats kF32Cache = {simd::KvFormat::kF32, simd::IndexFormat::kF32};
  EXPECT_LE(mean_kl_of("bf16", kF32Cache), 1e-9);
}

}  // namespace
}  // namespace leyden::model
