#include "src/model/tensor_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "src/engine.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/zero_container.h"

namespace leyden::model {
namespace {

using leyden::fixtures::refusal_of;
using quant::Layout;
using quant::TensorSpec;
using quant::WeightFormat;
using ::testing::AllOf;
using ::testing::HasSubstr;

const char* const kModel = "v32-tiny-bf16";

TensorSpec& named(std::vector<TensorSpec>& specs, const std::string& name) {
  return *std::ranges::find(specs, name, &TensorSpec::name);
}

class TensorCheckTest : public ::testing::Test {
 protected:
  std::string refusal() const {
    return refusal_of([&] { check_tensors(golden_config(kModel), specs_, "model.leyden"); });
  }

  std::vector<TensorSpec> specs_ = golden_tensors(kModel);
};

TEST_F(TensorCheckTest, TakesTheTensorsOfThePlanInAnyOrder) {
  EXPECT_EQ(refusal(), "");
  std::ranges::reverse(specs_);
  EXPECT_EQ(refusal(), "");
}

TEST_F(TensorCheckTest, NamesTheTensorThatIsMissing) {
  std::erase_if(specs_, [](const TensorSpec& spec) { return spec.name == "layers.1.router"; });
  EXPECT_EQ(refusal(), "model.leyden: tensor 'layers.1.router' is missing");
}

TEST_F(TensorCheckTest, NamesWhatIsFoundAndExpected) {
  const TensorSpec whole = named(specs_, "layers.1.experts.gate");
  ASSERT_GT(whole.count, 1);
  named(specs_, "layers.1.experts.gate").count += 1;
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("model.leyden: tensor 'layers.1.experts.gate': shape is ["),
                    HasSubstr("expected [" + std::to_string(whole.count) + ","),
                    HasSubstr("from the model's config")));
  named(specs_, "layers.1.experts.gate") = whole;
  named(specs_, "head").layout = Layout::kRows;
  EXPECT_EQ(refusal(), "model.leyden: tensor 'head': layout is rows, expected tiles");
  named(specs_, "head").layout = Layout::kTiles;
  named(specs_, "final_norm").format = WeightFormat::kBf16;
  EXPECT_EQ(refusal(), "model.leyden: tensor 'final_norm': format is bf16, expected f32");
}

TEST_F(TensorCheckTest, RefusesTensorsThatTheModelDoesntHave) {
  for (const char* name :
       {"layers.-1.x", "layers.1.experts.zzz", "layers.1.mtp.eh_proj", "x", "layers.1.attn.q"}) {
    specs_.push_back({name, Layout::kTiles, WeightFormat::kInt8, 18, 16, 128});
    EXPECT_THAT(refusal(), HasSubstr("model.leyden: tensor '" + std::string(name) +
                                     "' of shape [18, 16, 128] is none of those"));
    specs_.pop_back();
  }
}

// Placing comes before reading: it must not see what isn't the model's.
TEST_F(TensorCheckTest, ContainersAreCheckedBeforeTheyArePlacedOrMapped) {
  const leyden::fixtures::TempDirectory dir;
  const auto path = dir.path() / "model.leyden";
  EngineOptions options;
  options.threads = 1;
  options.prefill_chunk = 32;
  const auto refusal_of_loading = [&](bool mmap) {
    options.mmap = mmap;
    return refusal_of([&] { Engine::load(path, options); });
  };
  write_zeros(path, kModel, specs_);
  for (const bool mmap : {false, true}) EXPECT_EQ(refusal_of_loading(mmap), "") << mmap;
  specs_.push_back({"layers.-1.x", Layout::kTiles, WeightFormat::kInt8, 18, 16, 128});
  write_zeros(path, kModel, specs_);
  const auto expected = HasSubstr("model.leyden: tensor 'layers.-1.x' of shape [18, 16, 128]");
  for (const bool mmap : {false, true}) EXPECT_THAT(refusal_of_loading(mmap), expected) << mmap;
  EXPECT_THAT(refusal_of([&] { checked_tensors(formats::ContainerReader(path)); }), expected);
}

// Beyond them saturating instructions compute other sums than the rest.
TEST_F(TensorCheckTest, LevelsThatKernelsDontMultiplyAlikeAreRefused) {
  const leyden::fixtures::TempDirectory dir;
  const auto path = dir.path() / "model.leyden";
  const char* const name = "layers.1.experts.up";
  named(specs_, name).format = WeightFormat::kInt4;
  write_zeros(path, kModel, specs_);
  const formats::StoredTensor tensor = *formats::ContainerReader(path).find(name);
  const std::uint64_t at = tensor.bytes / static_cast<std::uint64_t>(tensor.spec.count) + 5;
  const auto refusal_with = [&](int level, bool mmap) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(tensor.offset + at)).put(static_cast<char>(level));
    file.close();
    EngineOptions options;
    options.threads = 1;
    options.prefill_chunk = 32;
    options.mmap = mmap;
    return refusal_of([&] { Engine::load(path, options); });
  };
  for (const bool mmap : {false, true}) {
    EXPECT_EQ(refusal_with(127, mmap), "") << mmap;
    EXPECT_EQ(refusal_with(128, mmap),
              path.string() + ": tensor 'layers.1.experts.up': level 5 of matrix 1, byte " +
                  std::to_string(at) + " of the tensor, is 128, expected at most 127")
        << mmap;
  }
}

}  // namespace
}  // namespace leyden::model
