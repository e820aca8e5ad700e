#include "tests/model/golden.h"

#include <algorithm>
#include <cmath>

namespace leyden::model {
namespace {

/// Largest deviation from the golden logits, relative to their largest magnitude.
double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  double worst = 0, scale = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(double{found[i]} - double{expected[i]}));
    scale = std::max(scale, std::abs(double{expected[i]}));
  }
  return worst / scale;
}

struct Case {
  std::string name;
  MlaMode mla;
  int chunk;
};

class GoldenTest : public testing::TestWithParam<Case> {};

TEST_P(GoldenTest, ReferenceModeComputesTheOraclesLogitsAndChoices) {
  const auto [name, mla, chunk] = GetParam();
  runtime::ThreadTeam team(2);
  const Golden golden(name);
  const auto model = load_golden(name, quant::WeightFormat::kF32, team);
  Trace trace;
  const std::vector<float> logits =
      logits_of(*model, reference_settings(mla), golden.tokens, chunk, team, &trace);

  ASSERT_EQ(logits.size(), golden.logits.size());
  EXPECT_LE(relative_error(logits, golden.logits), 2e-5);

  const auto vocab = static_cast<std::ptrdiff_t>(model->config.vocab_size);
  for (std::size_t t = 0; t < golden.tokens.size(); ++t) {
    const float* const row = logits.data() + static_cast<std::ptrdiff_t>(t) * vocab;
    EXPECT_EQ(std::max_element(row, row + vocab) - row, golden.json["argmax"][t]) << "at " << t;
  }
  for (std::size_t layer = 0; layer < trace.layers.size(); ++layer) {
    const auto& experts = golden.json["experts"][layer];
    for (std::size_t t = 0; t < golden.tokens.size(); ++t) {
      if (!experts.is_null()) {
        EXPECT_EQ(trace.layers[layer].experts[t], experts[t].get<std::vector<std::int32_t>>())
            << "layer " << layer << " position " << t;
      }
      if (!model->config.has_indexer() || !trace.layers[layer].topk[t]) continue;
      EXPECT_EQ(*trace.layers[layer].topk[t],
                golden.json["topk"][layer][t].get<std::vector<std::int32_t>>())
          << "layer " << layer << " position " << t;
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& name : kGoldenCases) {
    for (const int chunk : {1, 7, 40, 96}) {
      all.push_back({name, MlaMode::kAbsorb, chunk});
      all.push_back({name, MlaMode::kDecompress, chunk});
    }
    all.push_back({name, MlaMode::kAuto, 96});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(AllCases, GoldenTest, testing::ValuesIn(cases()), [](const auto& param) {
  std::string text = param.param.name + "_" +
                     std::string(formats::name_in(kMlaModes, param.param.mla)) + "_" +
                     std::to_string(param.param.chunk);
  std::ranges::replace(text, '-', '_');
  return text;
});

}  // namespace
}  // namespace leyden::model
