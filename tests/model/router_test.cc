#include "src/model/router.h"

#include <gtest/gtest.h>

#include <vector>

namespace leyden::model {
namespace {

TEST(Router, KeepsAsManyGroupsAsItMayHoweverLargeTheirBiases) {
  formats::ModelConfig config;
  config.n_routed_experts = 16;
  config.num_experts_per_tok = 4;
  config.n_group = 4;
  config.topk_group = 2;
  config.scoring_func = formats::ScoringFunc::kSigmoid;
  config.topk_method = formats::TopkMethod::kNoauxTc;
  std::vector<float> logits(16), bias(16, 3e38f), scratch(32);
  bias[15] = 3.2e38f;  // of the last group, which isn't among the first two of equal scores
  std::vector<ExpertChoice> chosen(4);
  route(config, logits, bias.data(), scratch, chosen);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(chosen[static_cast<std::size_t>(i)].expert, i);
}

}  // namespace
}  // namespace leyden::model
