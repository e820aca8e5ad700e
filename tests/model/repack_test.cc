#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "formats/json.h"
#include "tests/formats/gguf_text.h"
#include "tests/model/convert_case.h"
#include "tests/model/golden.h"

// GGUF's own formats of weights become ours without loss.
namespace leyden {
namespace {

namespace fs = std::filesystem;

struct Repacking {
  const char *gguf, *recipe, *ours, *theirs;
};

class RepackTest : public ConvertTest, public ::testing::WithParamInterface<Repacking> {};

TEST_P(RepackTest, KeepsEveryNumber) {
  const fs::path in = fixtures::kGgufModels / GetParam().gguf;
  convert_to(out_, in, GetParam().recipe);
  const formats::ContainerReader container(out_);
  EXPECT_EQ(weights_of(container, GetParam().ours),
            originals(*formats::Checkpoint::open(in), GetParam().theirs));
}

INSTANTIATE_TEST_SUITE_P(
    All, RepackTest,
    ::testing::Values(Repacking{"v32-small-q8_0.gguf", "int8", "layers.0.attn.o",
                                "model.layers.0.self_attn.o_proj.weight"},
                      Repacking{"v32-small-q8_0.gguf", "int8", "head", "lm_head.weight"},
                      Repacking{"v32-small-q4_0.gguf", "int4", "layers.0.attn.o",
                                "model.layers.0.self_attn.o_proj.weight"},
                      Repacking{"v32-small-q4_0.gguf", "int8", "layers.0.attn.q_b",
                                "model.layers.0.self_attn.q_b_proj.weight"},
                      Repacking{"v2lite-27-q4_0.gguf", "small", "layers.0.ffn.down",
                                "model.layers.0.mlp.down_proj.weight"}));

TEST_F(ConvertTest, RepacksAllExpertsOfAGguf) {
  for (const auto& [file, recipe] :
       {std::pair{"v32-small-q8_0.gguf", "int8"}, std::pair{"v32-small-q4_0.gguf", "int4"}}) {
    const fs::path in = fixtures::kGgufModels / file;
    const ConvertResult result = convert_to(out_, in, recipe, {.out = {}, .measure = true});
    for (const TensorLoss& loss : result.losses) {
      const bool is_cut_up = loss.spec.name.find("k_b") != std::string::npos ||
                             loss.spec.name.find("v_b") != std::string::npos;
      if (is_cut_up) continue;
      EXPECT_EQ(loss.figures.relative_rmse, 0) << file << ' ' << loss.spec.name;
    }
  }
}

TEST_F(ConvertTest, RoundsOnlyTheGroupThatInt8CantHold) {
  const std::string name = "blk.0.attn_output.weight";
  auto text = leyden::fixtures::GgufText::of(
      formats::read_text_file(fixtures::kGgufModels / "v32-small-q8_0.gguf"));
  constexpr std::size_t kBlock = 5, kCode = 7, kBlockBytes = 34;  // an fp16 scale and 32 codes
  text.data[text.tensor(name).offset + kBlock * kBlockBytes + 2 + kCode] = '\x80';
  dir_.write("in.gguf", text.file());
  convert_to(out_, dir_.path() / "in.gguf", "int8");
  const auto original = originals(*formats::Checkpoint::open(dir_.path() / "in.gguf"),
                                  "model.layers.0.self_attn.o_proj.weight");
  const auto packed = weights_of(formats::ContainerReader(out_), "layers.0.attn.o");
  ASSERT_EQ(packed.size(), original.size());
  const float step = std::abs(original[kBlock * 32 + kCode]) / 127;
  std::size_t n_rounded = 0;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    const bool is_in_group = i / 32 == kBlock;
    n_rounded += packed[i] != original[i] ? 1 : 0;
    ASSERT_NEAR(packed[i], original[i], is_in_group ? 0.51f * step : 0) << i;
  }
  EXPECT_GT(n_rounded, 0u);
}

}  // namespace
}  // namespace leyden
