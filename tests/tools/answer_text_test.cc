#include "src/answer_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "formats/tokenizer_file.h"

namespace leyden {
namespace {

const std::string kCalls =
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": "
    "\"Oslo\"}<｜tool▁call▁end｜>"
    "<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
const std::string kDsmlCalls =
    "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n"
    "<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
    "</｜DSML｜function_calls>";

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer demo(
      formats::read_tokenizer_file(LEYDEN_SOURCE_DIR "/models/demo/checkpoint/tokenizer.json"));
  return demo;
}

/// The answer `text`, token by token; what was shown must be what is kept.
AnswerText answer(const std::string& text, const GenerationOptions& options) {
  std::string reasoning, content;
  AnswerText answer(tokenizer(), options, [&](Channel channel, std::string_view piece) {
    (channel == Channel::kReasoning ? reasoning : content) += piece;
  });
  for (const text::TokenId token : tokenizer().encode_trusted(text)) {
    if (answer.stopped()) break;
    answer.push(token);
  }
  answer.finish();
  EXPECT_EQ(answer.reasoning(), reasoning);
  EXPECT_EQ(answer.content(), content);
  return answer;
}

TEST(AnswerText, ReasoningEndsAtItsToken) {
  const AnswerText both = answer("Hm.</think>Oslo. 漢字", {.stops = {}, .starts_reasoning = true});
  EXPECT_EQ(both.reasoning(), "Hm.");
  EXPECT_EQ(both.content(), "Oslo. 漢字");
  EXPECT_EQ(answer("Hm.", {.stops = {}, .starts_reasoning = true}).content(), "");
  EXPECT_EQ(answer("Oslo.", {}).content(), "Oslo.");
}

TEST(AnswerText, ReasoningEndsAtItsTextToo) {
  AnswerText spelled(tokenizer(), {.stops = {}, .starts_reasoning = true}, {});
  for (const text::TokenId token : tokenizer().encode_text("Hm.</think>Oslo.")) spelled.push(token);
  spelled.finish();
  EXPECT_EQ(spelled.reasoning(), "Hm.");
  EXPECT_EQ(spelled.content(), "Oslo.");
}

TEST(AnswerText, TheFormatsBlankIsNoPartOfTheAnswer) {
  EXPECT_EQ(answer("  Oslo. ", {.stops = {}, .starts_blank = true}).content(), " Oslo. ");
  EXPECT_EQ(answer("Oslo.", {.stops = {}, .starts_blank = true}).content(), "Oslo.");
  EXPECT_EQ(answer(" Oslo.", {}).content(), " Oslo.");
}

TEST(AnswerText, CallsAreTakenOutWhereToolsWereOffered) {
  const AnswerText v31 =
      answer("Hm.</think>Let me see." + kCalls,
             {.stops = {}, .starts_reasoning = true, .calls = text::ChatFormat::kV31});
  EXPECT_EQ(v31.reasoning(), "Hm.");
  EXPECT_EQ(v31.content(), "Let me see.");
  ASSERT_EQ(v31.tool_calls().size(), 2u);
  EXPECT_EQ(v31.tool_calls()[0].name, "get_weather");
  EXPECT_EQ(v31.tool_calls()[0].arguments, "{\"city\": \"Oslo\"}");
  EXPECT_EQ(v31.tool_calls()[1].name, "now");

  const AnswerText v32 =
      answer("Well." + kDsmlCalls, {.stops = {}, .calls = text::ChatFormat::kV32});
  EXPECT_EQ(v32.content(), "Well.");
  ASSERT_EQ(v32.tool_calls().size(), 1u);
  EXPECT_EQ(v32.tool_calls()[0].arguments, "{\"city\": \"Oslo\"}");
}

TEST(AnswerText, CallsThatNobodyOfferedOrThatBreakAreContent) {
  EXPECT_EQ(answer("See." + kCalls, {}).content(), "See." + kCalls);
  const std::string half = kCalls.substr(0, kCalls.size() - 60);
  const AnswerText cut = answer("See." + half, {.stops = {}, .calls = text::ChatFormat::kV31});
  EXPECT_EQ(cut.content(), "See." + half);
  EXPECT_TRUE(cut.tool_calls().empty());
}

TEST(AnswerText, StopStringsEndContentButNotThoughtsOrCalls) {
  const GenerationOptions stops = {.stops = {"Oslo"}, .starts_reasoning = true};
  const AnswerText text = answer("Oslo?</think>It is Oslo, I think.", stops);
  EXPECT_EQ(text.reasoning(), "Oslo?");
  EXPECT_EQ(text.content(), "It is ");
  EXPECT_TRUE(text.stopped());
  const AnswerText calls = answer(kCalls, {.stops = {"Oslo"}, .calls = text::ChatFormat::kV31});
  EXPECT_EQ(calls.tool_calls().size(), 2u);
  EXPECT_FALSE(calls.stopped());
  EXPECT_EQ(answer("It is Osl", {.stops = {"Oslo"}}).content(), "It is Osl");
}

}  // namespace
}  // namespace leyden
