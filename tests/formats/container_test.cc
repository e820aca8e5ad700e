#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>

#include "formats/container_reader.h"
#include "tests/formats/container_fixture.h"

namespace leyden::formats {
namespace {

using ::testing::HasSubstr;

TEST_F(ContainerTest, GivesBackWhatWasWritten) {
  const std::string fingerprint = write_container(path_, 300'000);
  EXPECT_TRUE(is_container(path_));
  const ContainerReader reader(path_);
  EXPECT_EQ(reader.recipe(), "int4");
  EXPECT_EQ(reader.fingerprint(), fingerprint);
  EXPECT_EQ(reader.config().hidden_size, 7168);
  EXPECT_EQ(reader.blob("tokenizer.json"), "{}");
  EXPECT_EQ(reader.blob("empty"), "");
  EXPECT_EQ(reader.blob("none"), std::nullopt);
  EXPECT_EQ(reader.find("none"), nullptr);
  const MappedFile mapped = reader.map();
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    const StoredTensor& tensor = *reader.find(kSpecs[t].name);
    EXPECT_EQ(tensor.spec, kSpecs[t]);
    EXPECT_EQ(tensor.offset % alignment_of(tensor.bytes), 0u);
    const std::vector<std::byte> expected = contents(t);
    std::vector<std::byte> part(expected.size() - 9);
    reader.read(tensor, 9, part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), expected.begin() + 9));
    EXPECT_TRUE(
        std::equal(expected.begin(), expected.end(), mapped.bytes().begin() + tensor.offset));
    reader.verify(tensor);
  }
  EXPECT_EQ(reader.find("head")->offset % kLargeAlignment, 0u);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
}

TEST_F(ContainerTest, PiecesOfAnySizeGiveTheSameBytes) {
  write_container(path_, 1 << 20);
  const std::string first = read_text_file(path_);
  for (const std::size_t piece : {4097, 1'048'577, 1 << 30}) {
    write_container(path_, piece);
    EXPECT_TRUE(read_text_file(path_) == first) << piece;
  }
}

TEST_F(ContainerTest, TheFingerprintTellsModelsAndRecipesApart) {
  EXPECT_EQ(write_container(path_, 1 << 20), write_container(path_, 1 << 19));
  EXPECT_NE(write_container(path_, 1 << 20), write_container(path_, 1 << 20, "int8"));
}

TEST_F(ContainerTest, MisuseOfTheWriterIsNamedAndLeavesNothing) {
  {
    ContainerWriter writer(path_, "int4", blobs(), kSpecs);
    const std::vector<std::byte> bytes = contents(0);
    EXPECT_THROW(writer.write(0, 1, bytes), std::logic_error);
    EXPECT_THROW(writer.write(0, UINT64_MAX, bytes), std::logic_error);
    writer.write(0, 0, bytes);
    EXPECT_THROW(writer.write(0, 0, bytes), std::logic_error);
    try {
      writer.finish();
      ADD_FAILURE();
    } catch (const std::logic_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("were never written"));
    }
  }
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST(IsContainerTest, IsFalseForAnythingElse) {
  TempDirectory dir;
  EXPECT_FALSE(is_container(dir.path()));
  EXPECT_FALSE(is_container(dir.path() / "none"));
  EXPECT_FALSE(is_container(dir.write("short", "\x89LEY")));
  EXPECT_FALSE(is_container(dir.write("other", "GGUF and more bytes")));
}

}  // namespace
}  // namespace leyden::formats
