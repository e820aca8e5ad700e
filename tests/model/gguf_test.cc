#include <cmath>
#include <filesystem>

#include "tests/formats/gguf_text.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

using fixtures::kGgufModels;

class GgufLogitsTest : public testing::TestWithParam<const char*> {};

TEST_P(GgufLogitsTest, ReferenceModeComputesTheOraclesLogits) {
  std::ifstream text(kGgufModels / (std::string(GetParam()) + ".expected.json"));
  const auto expected = nlohmann::json::parse(text);
  std::ifstream raw(kGgufModels / expected["logits_file"].get<std::string>(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(raw)), {});
  std::vector<float> golden(bytes.size() / sizeof(float));
  std::memcpy(golden.data(), bytes.data(), bytes.size());

  runtime::ThreadTeam team(2);
  const auto checkpoint =
      formats::Checkpoint::open(kGgufModels / expected["files"][0]["file"].get<std::string>());
  const FormatChooser exact = [](const PlannedTensor&) { return quant::WeightFormat::kF32; };
  const auto model = load_whole(*checkpoint, exact, team);
  const auto tokens = expected["tokens"].get<std::vector<std::int32_t>>();
  const std::vector<float> logits =
      logits_of(*model, reference_settings(MlaMode::kAbsorb), tokens, /*chunk=*/16, team);
  ASSERT_EQ(logits.size(), golden.size());
  // The oracle's own binary32 is within 7e-6 of these (tests/data/gguf/ORIGIN.md).
  for (std::size_t i = 0; i < golden.size(); ++i) ASSERT_NEAR(logits[i], golden[i], 2e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(All, GgufLogitsTest,
                         testing::Values("v32-small-f32", "v32-small-bf16", "v32-small-q8_0",
                                         "v32-small-q4_0", "v32-small-q8_0-split",
                                         "v32-small-mtp-q8_0", "v32-wide-q4_k_m", "v3-small-mixed",
                                         "v3-deep2-q2_k", "v2lite-27-q4_0"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace leyden::model
