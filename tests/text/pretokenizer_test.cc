#include "src/text/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "formats/load_error.h"

namespace leyden::text {
namespace {

using testing::ElementsAre;

std::vector<std::string> pieces(const std::vector<std::string>& patterns, std::string_view text) {
  std::vector<std::string> out;
  Pretokenizer(patterns).split(text, [&](std::string_view piece) { out.emplace_back(piece); });
  return out;
}

TEST(Pretokenizer, IsolatesMatchesAndWhatLiesBetween) {
  EXPECT_THAT(pieces({"\\p{N}{1,3}"}, "ab1234c"), ElementsAre("ab", "123", "4", "c"));
  EXPECT_THAT(pieces({}, "ab c"), ElementsAre("ab c"));
  EXPECT_TRUE(pieces({"a"}, "").empty());
}

TEST(Pretokenizer, LaterPatternsSeeOnePieceAtATime) {
  // Before a digit the last blank stays with the run, because the lookahead meets the piece's end.
  EXPECT_THAT(pieces({"\\p{N}", "\\s+(?!\\S)|\\s+"}, "a  1  b"),
              ElementsAre("a", "  ", "1", " ", " ", "b"));
}

TEST(Pretokenizer, WhiteSpaceIsUnicodesAndNotPerls) {
  EXPECT_THAT(pieces({"\\s+"}, "a\u2003\u0085\u3000b"),
              ElementsAre("a", "\u2003\u0085\u3000", "b"));
  EXPECT_THAT(pieces({"\\s+"}, "a\u180eb"), ElementsAre("a\u180eb"));
  EXPECT_THAT(pieces({"[\\S]"}, " \u180e"), ElementsAre(" ", "\u180e"));
  EXPECT_THAT(pieces({"\\\\s"}, "a\\s b"), ElementsAre("a", "\\s", " b"));
}

TEST(Pretokenizer, DollarMatchesAtEveryLine) {
  EXPECT_THAT(pieces({"b$"}, "ab\ncb"), ElementsAre("a", "b", "\nc", "b"));
}

TEST(Pretokenizer, EmptyMatchesAreNone) {
  EXPECT_THAT(pieces({"x*"}, "axxb"), ElementsAre("a", "xx", "b"));
}

TEST(Pretokenizer, NamesAPatternThatDoesNotCompile) {
  try {
    Pretokenizer({"\\p{N}", "(ab"});
    FAIL();
  } catch (const formats::LoadError& error) {
    EXPECT_STREQ(error.what(),
                 "tokenizer: split pattern '(ab' doesn't compile: "
                 "missing closing parenthesis near byte 3");
  }
  EXPECT_THROW(Pretokenizer({"\\C"}), formats::LoadError);
  EXPECT_THROW(Pretokenizer({std::string(100000, 'a')}), formats::LoadError);
}

TEST(Pretokenizer, ALongRunOfBlanksIsSplitAsAShortOneIs) {
  constexpr std::size_t kBlanks = 12'000'000;  // PCRE2's own limit is 10 million steps
  const auto split = pieces({"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, std::string(kBlanks, ' ') + "x");
  ASSERT_EQ(split.size(), 3u);
  EXPECT_EQ(split[0].size(), kBlanks - 1);
  EXPECT_EQ(split[1], " ");
}

TEST(Pretokenizer, APatternThatNeverEndsIsAnErrorAndNotAHang) {
  EXPECT_THROW(pieces({"(a+)+(a+)+(a+)+[bc]"}, std::string(5000, 'a')), formats::LoadError);
}

}  // namespace
}  // namespace leyden::text
