#include "formats/input_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <string>

#include "formats/mapped_file.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"

namespace leyden::formats {
namespace {

using leyden::fixtures::refusal_of;
using leyden::fixtures::TempDirectory;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  std::string refusal_to_open(const std::filesystem::path& path) {
    const std::string sentence = refusal_of([&] { InputFile file(path); });
    EXPECT_EQ(refusal_of([&] { MappedFile file(path); }), sentence);
    EXPECT_THAT(sentence, HasSubstr(path.string() + ": "));
    return sentence;
  }

  TempDirectory dir_;
};

TEST_F(FileTest, RefusesWhatIsNoReadableFile) {
  EXPECT_THAT(refusal_to_open(dir_.path() / "nothing"), HasSubstr("can't open: No such file"));
  EXPECT_THAT(refusal_to_open(dir_.path()), HasSubstr("is a directory, expected a file"));
  EXPECT_THAT(refusal_to_open(dir_.write("empty", "")), HasSubstr("is empty"));
  EXPECT_THAT(refusal_to_open("/dev/null"), HasSubstr("is not a regular file"));
  const auto pipe = dir_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refusal_to_open(pipe), HasSubstr("is not a regular file"));
}

TEST_F(FileTest, ReadsExactlyTheBytesAskedFor) {
  const InputFile file(dir_.write("file", "0123456789"));
  EXPECT_EQ(file.size(), 10u);
  std::array<char, 4> part{};
  file.read_exact(6, std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(std::string(part.begin(), part.end()), "6789");
  file.read_exact(10, {});
}

TEST_F(FileTest, RefusesToReadBeyondTheEnd) {
  const InputFile file(dir_.write("file", "0123456789"));
  std::array<std::byte, 4> part{};
  EXPECT_THAT(refusal_of([&] { file.read_exact(7, part); }),
              HasSubstr("beyond the end at byte 10"));
  EXPECT_THAT(refusal_of([&] { file.read_exact(UINT64_MAX, part); }), HasSubstr("beyond the end"));
}

TEST_F(FileTest, NoticesAFileThatShrinksAfterOpening) {
  const auto path = dir_.write("file", "0123456789");
  const InputFile file(path);
  std::filesystem::resize_file(path, 3);
  std::array<std::byte, 4> part{};
  EXPECT_THAT(refusal_of([&] { file.read_exact(0, part); }),
              HasSubstr("ends at byte 3, but had 10 bytes"));
}

TEST_F(FileTest, MapsTheWholeFile) {
  MappedFile first(dir_.write("file", "0123456789"));
  const MappedFile file(std::move(first));
  EXPECT_TRUE(first.bytes().empty());  // NOLINT(bugprone-use-after-move)
  ASSERT_EQ(file.bytes().size(), 10u);
  EXPECT_EQ(file.bytes()[9], std::byte{'9'});
}

}  // namespace
}  // namespace leyden::formats
