#include <cmath>

#include "formats/recipe_file.h"
#include "quant/pack.h"
#include "src/model/linear.h"
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
// Not further than the official code in BF16, which rounds activations too. In floats otherwise:
// what a bf16 cache costs on 96 tokens depends on whether a choice of the indexer turns.
TEST(QuantizedModel, Bf16StaysCloseToTheOracle) {
  constexpr CacheFormats kF32Cache = {simd::KvFormat::kF32, simd::IndexFormat::kF32};
  EXPECT_LE(mean_kl_of("bf16", kF32Cache), 5.9e-4);
}

/// The product of a matrix with a token that is `x` in the first column and zero elsewhere.
std::vector<float> times_first_column(const PlacedMatrix& w, float x, runtime::ThreadTeam& team) {
  Panels in(team.crew(), 1, blocks_of(static_cast<int>(w.cols)), needs_of(w));
  in.reset(1, static_cast<int>(w.cols));
  std::vector<float> token(static_cast<std::size_t>(w.cols)), out(static_cast<std::size_t>(w.rows));
  token[0] = x;
  in.set_row(0, token.data());
  const Linear product = {w, {&in}, out.data(), w.rows};
  multiply(team, runtime::Scratch(team.crew(), simd::kMatmulScratchBytes), {&product, 1});
  return out;
}

TEST(QuantizedModel, RoutersOfBf16MultiplyFloatsAndOtherMatricesBf16) {
  runtime::ThreadTeam team(1);
  const auto checkpoint = formats::Checkpoint::open(golden_checkpoint("v32-tiny-bf16"));
  const auto model =
      load_whole(*checkpoint, format_chooser(formats::load_recipe("bf16"), *checkpoint), team);
  const LayerWeights& layer = model->weights.layers.back();
  for (const auto& [w, exact] :
       {std::pair{layer.moe->router, true}, std::pair{layer.indexer->head_weights, true},
        std::pair{layer.indexer->k, false}, std::pair{layer.moe->gate[0], false}}) {
    ASSERT_EQ(w.format, quant::WeightFormat::kBf16);
    const float x = 1 + 0x1p-12f;
    std::vector<float> expected = times_first_column(w, 1.0f, team);
    for (float& value : expected) value *= exact ? x : 1.0f;
    EXPECT_EQ(times_first_column(w, x, team), expected);
  }
}

std::vector<float> unpacked(const quant::MatrixView& matrix) {
  const std::int64_t rows = matrix.n_tiles() * simd::kTileRows;
  std::vector<float> out(static_cast<std::size_t>(rows * matrix.cols));
  for (std::int64_t i = 0; i < matrix.n_tiles(); ++i) {
    quant::unpack_tile(matrix, i, out.data() + i * simd::kTileRows * matrix.cols, matrix.cols);
  }
  return out;
}

// FP8 weights with power-of-two scales are bf16 numbers (NUMERICS 7.3).
TEST(QuantizedModel, Bf16HoldsTheFp8OriginalsExactly) {
  runtime::ThreadTeam team(2);
  const auto checkpoint = formats::Checkpoint::open(golden_checkpoint("v32-calm-fp8"));
  const auto load = [&](const char* recipe) {
    return load_whole(*checkpoint, format_chooser(formats::load_recipe(recipe), *checkpoint), team);
  };
  const auto originals = load("f32"), halves = load("bf16");
  int compared = 0;
  for (const auto& [name, tensor] : halves->tensors) {
    if (tensor.spec.format != quant::WeightFormat::kBf16) continue;
    const std::vector<MatrixPart>& expected = originals->tensors.at(name).parts;
    ASSERT_EQ(tensor.parts.size(), expected.size()) << name;
    for (std::size_t i = 0; i < expected.size(); ++i, ++compared) {
      EXPECT_EQ(unpacked(tensor.parts[i].rows), unpacked(expected[i].rows)) << name;
    }
  }
  EXPECT_GT(compared, 100);
}

}  // namespace
}  // namespace leyden::model
