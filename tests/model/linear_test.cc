#include "src/model/linear.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "formats/recipe_file.h"
#include "src/recipes.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

using Outputs = std::vector<std::vector<float>>;  // [product]: [tokens, rows]

/// Products of one input by matrices of several formats, as a layer has them.
class SeveralProducts : public testing::Test {
 protected:
  SeveralProducts() : checkpoint_(formats::Checkpoint::open(golden_checkpoint("v32-tiny-fp8"))) {
    runtime::ThreadTeam team(1);
    model_ =
        load_whole(*checkpoint_, format_chooser(formats::load_recipe("int8"), *checkpoint_), team);
    const LayerWeights& layer = model_->weights.layers.back();
    matrices_ = {layer.attention.kv_a, layer.moe->router, layer.indexer->head_weights};
    input_.resize(static_cast<std::size_t>(kTokens * cols()));
    for (std::size_t i = 0; i < input_.size(); ++i) {
      input_[i] = static_cast<float>(static_cast<int>(i * 7919 % 2001) - 1000) / 500;
    }
  }

  std::int64_t cols() const { return matrices_.front().cols; }

  /// What n tokens of the input give, from token `first` on.
  Outputs multiply_all(int n_threads, int first, int n) const {
    runtime::ThreadTeam team(n_threads);
    ActivationNeeds needs;
    for (const PlacedMatrix& w : matrices_) needs = needs | needs_of(w);
    const auto n_cols = static_cast<int>(cols());
    Panels in(team.crew(), n, std::int64_t{n} * blocks_of(n_cols), needs);
    in.reset(n, n_cols);
    for (int t = 0; t < n; ++t) in.set_row(t, input_.data() + (first + t) * cols());
    Outputs outputs;
    std::vector<Linear> products;
    for (const PlacedMatrix& w : matrices_) {
      outputs.emplace_back(static_cast<std::size_t>(n * w.rows), -1.0f);
    }
    for (std::size_t i = 0; i < matrices_.size(); ++i) {
      products.push_back({matrices_[i], {&in}, outputs[i].data(), matrices_[i].rows});
    }
    multiply(team, runtime::Scratch(team.crew(), simd::kMatmulScratchBytes), products);
    return outputs;
  }

  static constexpr int kTokens = 3 * simd::kPanelTokens + 5;
  std::unique_ptr<formats::Checkpoint> checkpoint_;
  std::unique_ptr<LoadedModel> model_;
  std::vector<PlacedMatrix> matrices_;
  std::vector<float> input_;
};

TEST_F(SeveralProducts, AreThoseOfEveryToken) {
  ASSERT_TRUE(needs_of(matrices_[0]).integers && needs_of(matrices_[1]).floats);
  Outputs expected(matrices_.size());
  for (int t = 0; t < kTokens; ++t) {
    const Outputs one = multiply_all(1, t, 1);
    for (std::size_t i = 0; i < one.size(); ++i) {
      expected[i].insert(expected[i].end(), one[i].begin(), one[i].end());
    }
  }
  for (const int threads : {1, 2, 5, 16}) {
    EXPECT_EQ(multiply_all(threads, 0, kTokens), expected) << threads << " threads";
  }
}

/// How often the product of a matrix was seen, by the matrix' first tile.
class SightCounter final : public ProductObserver {
 public:
  SightCounter() { product_observer = this; }
  ~SightCounter() override { product_observer = nullptr; }
  void see(const PlacedMatrix& w, PanelSpan) override {
    const std::lock_guard lock(mutex_);
    ++seen_[w.tile(0)];
  }
  int of(const PlacedMatrix& w) const { return seen_.at(w.tile(0)); }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, int> seen_;
};

// Their sum over tokens has one order only if nobody divides the tokens.
TEST_F(SeveralProducts, AreSeenWithAllTheirTokens) {
  const Golden golden("v32-tiny-fp8");
  ASSERT_GT(golden.tokens.size(), static_cast<std::size_t>(simd::kPanelTokens));
  runtime::ThreadTeam team(16);
  const SightCounter counter;
  logits_of(*model_, {AttentionMode::kAuto, MlaMode::kAuto, {}}, golden.tokens, 512, team);
  const LayerWeights& layer = model_->weights.layers.back();
  for (const PlacedMatrix& w : matrices_) EXPECT_EQ(counter.of(w), 1);
  EXPECT_EQ(counter.of(layer.moe->shared->gate), 1);
  EXPECT_EQ(counter.of(layer.moe->shared->up), 1);
}

}  // namespace
}  // namespace leyden::model
