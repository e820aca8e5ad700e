#include "src/model/tied_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/json.h"
#include "formats/recipe_file.h"
#include "src/convert.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::refusal_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// v2lite-tiny, which is one file, with tie_word_embeddings and an lm_head.weight of the test's
/// choice.
class TiedHeadTest : public ::testing::Test {
 protected:
  TiedHeadTest() : file_(formats::read_text_file(source_ / "model.safetensors")) {
    formats::Json config = formats::read_json_file(source_ / "config.json");
    config["tie_word_embeddings"] = true;
    dir_.write("config.json", config.dump());
    const auto checkpoint = formats::Checkpoint::open(source_);
    head_ = *checkpoint->find("lm_head.weight");
    embeddings_ = *checkpoint->find("model.embed_tokens.weight");
  }

  void give_head(const std::string& bytes) {
    file_.replace(head_.offset, bytes.size(), bytes);
    dir_.write("model.safetensors", file_);
  }
  std::string embeddings() const { return file_.substr(embeddings_.offset, embeddings_.bytes); }

  std::string refusal_of_loading() {
    runtime::ThreadTeam team(1);
    return refusal_of([&] {
      const auto checkpoint = formats::Checkpoint::open(dir_.path());
      load_whole(
          *checkpoint, [](const auto&) { return quant::WeightFormat::kF32; }, team);
    });
  }
  std::string refusal_of_converting() {
    runtime::ThreadTeam team(1);
    ConvertOptions options;
    options.out = dir_.path() / "out.leyden";
    return refusal_of([&] {
      convert(*formats::Checkpoint::open(dir_.path()), formats::load_recipe("int8"), options, team,
              {});
    });
  }

  const fs::path source_ = golden_checkpoint("v2lite-tiny");
  leyden::fixtures::TempDirectory dir_;
  std::string file_;
  formats::CheckpointTensor head_, embeddings_;
};

TEST_F(TiedHeadTest, MayRepeatTheEmbeddings) {
  give_head(embeddings());
  EXPECT_EQ(refusal_of_loading(), "");
  EXPECT_EQ(refusal_of_converting(), "");
}

TEST_F(TiedHeadTest, OfOtherNumbersIsRefusedWithItsRow) {
  std::string bytes = embeddings();
  bytes[bytes.size() - 1] ^= 1;  // of the last number of the last row
  give_head(bytes);
  const auto last_row = "row " + std::to_string(embeddings_.rows() - 1) + " is not that of";
  const auto expected = AllOf(HasSubstr("model.safetensors: tensor 'lm_head.weight'"),
                              HasSubstr(last_row), HasSubstr("tie_word_embeddings"));
  EXPECT_THAT(refusal_of_loading(), expected);
  EXPECT_THAT(refusal_of_converting(), expected);
  EXPECT_FALSE(fs::exists(dir_.path() / "out.leyden"));
}

}  // namespace
}  // namespace leyden::model
