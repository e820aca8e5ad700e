#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/formats/refusal.h"
#include "tests/formats/safetensors_text.h"
#include "tests/formats/temp_directory.h"

namespace leyden::formats {
namespace {

using leyden::fixtures::refusal_of;
using leyden::fixtures::safetensors_text;
using leyden::fixtures::TempDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kTwoTensors =
    R"({"__metadata__":{"format":"pt"},)"
    R"("b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
    R"("a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}} )";

class SafetensorsTest : public ::testing::Test {
 protected:
  std::vector<SafetensorsEntry> read(std::string_view bytes) {
    return read_safetensors_header(InputFile(dir_.write("x.safetensors", bytes)));
  }
  std::string refusal(std::string_view bytes) {
    return refusal_of([&] { read(bytes); });
  }
  /// Of a file with one F32 tensor 'w' of shape [2] and 8 bytes of data, `from` replaced by `to`.
  std::string refusal_after(const std::string& from, const std::string& to) {
    std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    header.replace(header.find(from), from.size(), to);
    return refusal(safetensors_text(header, 8));
  }

  TempDirectory dir_;
};

TEST_F(SafetensorsTest, ListsTensorsByOffset) {
  const auto entries = read(safetensors_text(kTwoTensors, 28));
  ASSERT_EQ(entries.size(), 2u);
  const std::uint64_t data_begin = 8 + kTwoTensors.size();
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].type, TensorType::kBf16);
  EXPECT_EQ(entries[0].offset, data_begin);
  EXPECT_EQ(entries[0].bytes, 4u);
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_THAT(entries[1].shape, ElementsAre(2, 3));
  EXPECT_EQ(entries[1].offset, data_begin + 4);
  EXPECT_EQ(entries[1].bytes, 24u);
}

TEST_F(SafetensorsTest, AcceptsScalarsAndTensorsWithoutValues) {
  const auto entries =
      read(safetensors_text(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                            R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}})",
                            4));
  EXPECT_EQ(entries.size(), 2u);
}

TEST_F(SafetensorsTest, EveryTruncationIsRefused) {
  const std::string whole = safetensors_text(kTwoTensors, 28);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal(whole.substr(0, size)), HasSubstr("x.safetensors: ")) << size;
  }
  EXPECT_EQ(refusal(whole), "");
  EXPECT_THAT(refusal(whole + "x"), HasSubstr("the last tensor ends at byte"));
}

TEST_F(SafetensorsTest, AnyChangedByteGivesAListingOrARefusal) {
  const std::string whole = safetensors_text(kTwoTensors, 28);
  for (std::size_t at = 0; at < 8 + kTwoTensors.size(); ++at) {
    for (const int change : {1, 4, 16, 128}) {
      std::string broken = whole;
      broken[at] = static_cast<char>(broken[at] ^ change);
      refusal(broken);  // ASan and the type of the exception are the judges
    }
  }
}

TEST_F(SafetensorsTest, RefusesAHeaderLengthBeyondTheFile) {
  for (const std::uint64_t length : {std::uint64_t{29}, std::uint64_t{1} << 40, UINT64_MAX}) {
    std::string bytes(36, ' ');
    std::memcpy(bytes.data(), &length, sizeof length);
    EXPECT_THAT(refusal(bytes), HasSubstr("header length is " + std::to_string(length)));
  }
}

TEST_F(SafetensorsTest, RefusesHeadersThatLie) {
  EXPECT_EQ(refusal_after("w", "w"), "");
  EXPECT_THAT(refusal_after("[2]", "[3]"),
              HasSubstr("tensor 'w': has 8 bytes, expected 12 for F32 [3]"));
  EXPECT_THAT(refusal_after("[2]", "[-2]"), HasSubstr("'w.shape[0]' is -2"));
  EXPECT_THAT(refusal_after("[2]", "[2.0]"), HasSubstr("'w.shape[0]' is 2.0"));
  EXPECT_THAT(refusal_after("[2]", "2"), HasSubstr("'w.shape' is 2, expected a list"));
  EXPECT_THAT(refusal_after("[2]", "[1,1,1,1,1,1,1,1,2]"), HasSubstr("9 dimensions"));
  EXPECT_THAT(refusal_after("[2]", "[4294967296,4294967296,2]"), HasSubstr("is too large"));
  EXPECT_THAT(refusal_after("[2]", "[4611686018427387906]"), HasSubstr("is too large"));
  EXPECT_THAT(refusal_after("[2]", "[0,4611686018427387906]"), HasSubstr("is too large"));
  for (const char* shape : {"[9223372036854775807,0]", "[4611686018427387904,2,0]"}) {
    const std::string entry = R"({"dtype":"U8","shape":)" + std::string(shape);
    EXPECT_THAT(refusal(safetensors_text(R"({"w":)" + entry + R"(,"data_offsets":[0,0]}})", 0)),
                HasSubstr("is too large"));
  }
  EXPECT_THAT(refusal_after("F32", "F33"), HasSubstr("unknown dtype 'F33'"));
  EXPECT_THAT(refusal_after("\"F32\"", "null"), HasSubstr("'w.dtype' is missing"));
  EXPECT_THAT(refusal_after("[0,8]", "[0,9]"), HasSubstr("cut off"));
  EXPECT_THAT(refusal_after("[0,8]", "[8,0]"), HasSubstr("data at bytes 8 to 0"));
  EXPECT_THAT(refusal_after("[0,8]", "[0]"), HasSubstr("two offsets"));
  EXPECT_THAT(refusal_after("[0,8]", "[0,18446744073709551615]"), HasSubstr("data_offsets[1]"));
  EXPECT_THAT(refusal_after("\"w\"", "\"\""), HasSubstr("a tensor has no name"));
  EXPECT_THAT(refusal_after("{\"dtype\"", "[{\"dtype\""), HasSubstr("byte "));
  EXPECT_THAT(refusal(safetensors_text("{}", 0)), HasSubstr("holds no tensors"));
  EXPECT_THAT(refusal(safetensors_text("[]", 0)), HasSubstr("expected an object"));
}

TEST_F(SafetensorsTest, RefusesOverlapsGapsAndDoubledNames) {
  const auto two = [](const std::string& name, const std::string& range, std::size_t data) {
    return safetensors_text(R"({"u":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},")" + name +
                                R"(":{"dtype":"U8","shape":[4],"data_offsets":)" + range + "}}",
                            data);
  };
  EXPECT_EQ(refusal(two("v", "[4,8]", 8)), "");
  EXPECT_THAT(refusal(two("v", "[2,6]", 6)), HasSubstr("tensor 'v': starts at byte"));
  EXPECT_THAT(refusal(two("v", "[0,4]", 4)), HasSubstr("inside the tensor before it"));
  EXPECT_THAT(refusal(two("v", "[5,9]", 9)), HasSubstr("no gaps"));
  EXPECT_THAT(refusal(two("u", "[4,8]", 8)), HasSubstr("'u' twice"));
}

TEST_F(SafetensorsTest, RefusesDeeplyNestedHeaders) {
  const std::string deep = R"({"w":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  EXPECT_THAT(refusal(safetensors_text(deep, 0)), HasSubstr("deep"));
}

}  // namespace
}  // namespace leyden::formats
