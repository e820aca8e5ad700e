#include "formats/gguf_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "formats/checkpoint.h"
#include "formats/json.h"
#include "tests/formats/gguf_text.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::gguf_i32;
using leyden::fixtures::gguf_u16;
using leyden::fixtures::GgufText;
using leyden::fixtures::refusal_of;
using leyden::fixtures::TempDirectory;
using ::testing::HasSubstr;

constexpr const char* kFirst = "m-00001-of-00002.gguf";
constexpr const char* kSecond = "m-00002-of-00002.gguf";

class GgufPartsTest : public ::testing::Test {
 protected:
  GgufPartsTest() {
    const std::string stem = LEYDEN_TEST_DATA "/gguf/models/v32-small-q8_0-split-0000";
    first_ = GgufText::of(read_text_file(stem + "1-of-00002.gguf"));
    second_ = GgufText::of(read_text_file(stem + "2-of-00002.gguf"));
  }

  std::string refusal(const std::string& to_open = kFirst) {
    dir_.write(kFirst, first_.file());
    dir_.write(kSecond, second_.file());
    return refusal_of([&] { Checkpoint::open(dir_.path() / to_open); });
  }

  TempDirectory dir_;
  GgufText first_;
  GgufText second_;
};

TEST_F(GgufPartsTest, BothPartsMakeAModel) {
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(open_gguf_parts(dir_.path() / kFirst).size(), 2u);
}

TEST_F(GgufPartsTest, NamesTheMissingPart) {
  dir_.write(kFirst, first_.file());
  EXPECT_THAT(refusal_of([&] { Checkpoint::open(dir_.path() / kFirst); }),
              HasSubstr("m-00002-of-00002.gguf: part 2 of 2 is missing"));
}

TEST_F(GgufPartsTest, WantsToBeOpenedAtTheFirst) {
  EXPECT_THAT(refusal(kSecond), HasSubstr("is part 2 of 2, please open part 1"));
}

TEST_F(GgufPartsTest, RefusesPartsThatDontBelongTogether) {
  const GgufText second = second_;
  second_.set("split.no", gguf_u16(0));
  EXPECT_THAT(refusal(), HasSubstr("m-00002-of-00002.gguf: key 'split.no' is 0, expected 1"));
  second_.set("split.no", gguf_u16(7));
  EXPECT_THAT(refusal(), HasSubstr("key 'split.no' is 7, expected 1 for part 2 of 2"));
  second_ = second;
  second_.set("split.count", gguf_u16(3));
  EXPECT_THAT(refusal(), HasSubstr("key 'split.count' is 3, expected 2"));
  second_.erase("split.count");
  EXPECT_THAT(refusal(), HasSubstr("has no key 'split.count', expected part 2 of 2"));
  second_ = second;
  second_.tensors[0].name = first_.tensors[0].name;
  EXPECT_THAT(refusal(), HasSubstr("is also in"));
}

TEST_F(GgufPartsTest, RefusesCountsThatDontFit) {
  const GgufText first = first_;
  first_.set("split.count", gguf_u16(3));
  EXPECT_THAT(refusal(), HasSubstr("is part 1 of 3, but its name doesn't end in"));
  first_ = first;
  first_.set("split.tensors.count", gguf_i32(5));
  EXPECT_THAT(refusal(), HasSubstr("'split.tensors.count' is 5, but the 2 parts hold"));
  first_.set("split.tensors.count", gguf_i32(-1));
  EXPECT_THAT(refusal(), HasSubstr("'split.tensors.count' is -1"));
}

TEST_F(GgufPartsTest, OneFileThatLlamaCppMergedIsAModel) {
  GgufText merged =
      GgufText::of(read_text_file(LEYDEN_TEST_DATA "/gguf/models/v32-small-q8_0.gguf"));
  merged.set("split.no", gguf_u16(0));
  merged.set("split.count", gguf_u16(0));
  merged.set("split.tensors.count", gguf_i32(static_cast<int>(merged.tensors.size())));
  const fs::path file = dir_.write("merged.gguf", merged.file());
  EXPECT_EQ(refusal_of([&] { Checkpoint::open(file); }), "");
}

TEST_F(GgufPartsTest, RefusesPartsJoinedByCat) {
  const fs::path joined = dir_.write("m.gguf", first_.file() + second_.file());
  EXPECT_THAT(
      refusal_of([&] { Checkpoint::open(joined); }),
      HasSubstr("its name doesn't end in -00001-of-00002.gguf; were parts renamed or joined"));
}

}  // namespace
}  // namespace leyden::formats
