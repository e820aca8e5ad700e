#include "src/text/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "src/text/completion_parser.h"
#include "tests/text/text_data.h"

namespace leyden::text {
namespace {

using formats::Json;
using testing::HasSubstr;

const std::string kEnd = "<｜end▁of▁sentence｜>";
const std::string kV31Calls =
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜>"
    "<｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
const std::string kV3Calls =
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": 1}\n```"
    "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
const std::string kV32Calls =
    "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n"
    "<｜DSML｜parameter name=\"a\" string=\"false\">1</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
    "<｜DSML｜invoke name=\"g\">\n\n</｜DSML｜invoke>\n</｜DSML｜function_calls>";

std::string error_of(ChatFormat format, bool thinking, const std::string& text) {
  try {
    parse_completion(format, thinking, text);
  } catch (const ChatError& error) {
    return error.what();
  }
  return "no error";
}

// All of a text through the streaming parser, in random pieces of 1 to `longest` bytes.
Message streamed(ChatFormat format, bool thinking, const std::string& text, unsigned seed,
                 std::size_t longest) {
  std::mt19937 random(seed);
  CompletionParser parser(format, thinking);
  Message sum;
  sum.content = "";
  const auto add = [&](const CompletionParser::Delta& delta) {
    sum.reasoning_content += delta.reasoning;
    *sum.content += delta.content;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = 1 + random() % longest;
    add(parser.push(std::string_view(text).substr(at, n)));
    at += n;
  }
  add(parser.finish());
  EXPECT_EQ(sum.reasoning_content, parser.message().reasoning_content);
  EXPECT_EQ(sum.content, parser.message().content);
  return parser.message();
}

TEST(Completion, EveryCaseIsParsedAsDeepSeeksOwnParserDoes) {
  int cases = 0;
  for (const Json& line : json_lines("encoding/parse_cases_v3.2.jsonl")) {
    const auto text = line["text"].get<std::string>();
    const bool thinking = line["thinking"];
    if (line.contains("error")) {
      EXPECT_THROW(parse_completion(ChatFormat::kV32, thinking, text), ChatError) << text;
    } else {
      EXPECT_EQ(assistant_json(parse_completion(ChatFormat::kV32, thinking, text)),
                line["message"]);
    }
    ++cases;
  }
  EXPECT_EQ(cases, 60);
}

TEST(Completion, TheStreamingParserAgreesOnGoodAnswersHoweverTheyAreCut) {
  for (const Json& line : json_lines("encoding/parse_cases_v3.2.jsonl")) {
    if (line.contains("error")) continue;
    for (unsigned seed = 0; seed < 20; ++seed) {
      const Message message = streamed(ChatFormat::kV32, line["thinking"],
                                       line["text"].get<std::string>(), seed, seed + 1);
      EXPECT_EQ(assistant_json(message), line["message"]) << line["text"];
    }
  }
}

TEST(Completion, ReadsCallsOfEveryFormat) {
  const auto check = [](ChatFormat format, const std::string& calls) {
    const Message message = parse_completion(format, true, "Hm.</think>Yes." + calls + kEnd);
    EXPECT_EQ(message.reasoning_content, "Hm.");
    EXPECT_EQ(message.content, "Yes.");
    ASSERT_TRUE(message.tool_calls);
    ASSERT_EQ(message.tool_calls->size(), 2u);
    EXPECT_EQ(message.tool_calls->at(0).name, "f");
    EXPECT_EQ(message.tool_calls->at(0).arguments, "{\"a\": 1}");
    EXPECT_EQ(message.tool_calls->at(1).name, "g");
    EXPECT_EQ(message.tool_calls->at(1).arguments, "{}");
  };
  check(ChatFormat::kV3, kV3Calls);
  check(ChatFormat::kR1, kV3Calls);
  check(ChatFormat::kV31, kV31Calls);
  check(ChatFormat::kV32, kV32Calls);
}

TEST(Completion, StrictErrorsSayWhatIsWrong) {
  const auto v32 = [](const std::string& text) { return error_of(ChatFormat::kV32, false, text); };
  const std::string begin = "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n";
  const std::string a = "<｜DSML｜parameter name=\"a\" string=\"true\">x</｜DSML｜parameter>\n";
  const std::string end = "</｜DSML｜invoke>\n</｜DSML｜function_calls>";
  EXPECT_EQ(v32(begin + a + end), "no error");
  EXPECT_THAT(v32("Hi."), HasSubstr("doesn't end with <｜end▁of▁sentence｜>"));
  EXPECT_THAT(v32("Hi." + kEnd + "x"), HasSubstr("text after the end"));
  EXPECT_THAT(v32("<think>" + kEnd), HasSubstr("the content contains <think>"));
  EXPECT_THAT(v32("a ｜DSML｜ b" + kEnd), HasSubstr("the content contains ｜DSML｜"));
  EXPECT_THAT(v32(begin + a + a + end), HasSubstr("a parameter comes twice"));
  EXPECT_THAT(v32(begin + a + "x" + end), HasSubstr("text between the tags"));
  EXPECT_THAT(v32(begin + a), HasSubstr("the tool calls don't end"));
  EXPECT_THAT(
      v32(begin + "<｜DSML｜parameter name=\"a\" string=\"yes\">x</｜DSML｜parameter>\n" + end),
      HasSubstr("a parameter isn't"));
  EXPECT_THAT(error_of(ChatFormat::kV31, true, "no end" + kEnd), HasSubstr("</think>"));
  EXPECT_THAT(error_of(ChatFormat::kV31, false, "<｜tool▁calls▁begin｜>x"),
              HasSubstr("expected a tool call or the end"));
}

TEST(Completion, V2HasNoCalls) {
  const std::string text = "See. " + kV3Calls + kV32Calls;
  EXPECT_EQ(parse_completion(ChatFormat::kV2, false, text + kEnd).content, text);
  EXPECT_EQ(streamed(ChatFormat::kV2, false, text + kEnd, 1, 9).content, text);
}

TEST(CompletionParser, PassesTextOnAtOnceAndHoldsBackOnlyMarkers) {
  CompletionParser parser(ChatFormat::kV31, true);
  EXPECT_EQ(parser.push("I think <").reasoning, "I think ");
  EXPECT_EQ(parser.push("b> so.</thi").reasoning, "<b> so.");
  const CompletionParser::Delta delta = parser.push("nk>Yes");
  EXPECT_EQ(delta.reasoning, "");
  EXPECT_EQ(delta.content, "Yes");
  EXPECT_EQ(parser.push("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}").content,
            "");
  EXPECT_TRUE(parser.push("<｜tool▁call▁end｜><｜tool▁calls").tool_calls.empty());
  EXPECT_EQ(parser.push("▁end｜>").tool_calls.size(), 1u);
  EXPECT_EQ(parser.push(kEnd).content, "");
  EXPECT_EQ(parser.finish().content, "");
}

TEST(CompletionParser, ABrokenBlockComesBackAsContent) {
  const std::string broken = "<｜tool▁calls▁begin｜>I meant to call <b>f</b>.";
  EXPECT_EQ(streamed(ChatFormat::kV31, false, "A" + broken, 1, 4).content, "A" + broken);
  const std::string cut = kV32Calls.substr(0, 120);
  EXPECT_EQ(streamed(ChatFormat::kV32, false, "A" + cut, 1, 4).content, "A" + cut);
}

TEST(CompletionParser, ACallThatNoPromptCanRepeatIsContent) {
  const auto call = [](const std::string& value) {
    return "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n"
           "<｜DSML｜parameter name=\"n\" string=\"false\">" +
           value + "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>";
  };
  for (const std::string value :
       {"ten", "", "1e999", "1, \"m\": 2, \"m\": 3", R"({"a": 1, "a": 2})"}) {
    const Message message = streamed(ChatFormat::kV32, false, "A" + call(value), 1, 9);
    EXPECT_EQ(message.content, "A" + call(value));
    EXPECT_FALSE(message.tool_calls) << value;
  }
  const Message good = streamed(ChatFormat::kV32, false, "A" + call("[1e9, {}]"), 1, 9);
  EXPECT_EQ(good.content, "A");
  EXPECT_EQ(good.tool_calls.value().front().arguments, R"({"n": [1e9, {}]})");
}

TEST(CompletionParser, CallsInsideABrokenBlockAreFoundHoweverTheTextIsCut) {
  const std::string inner =
      "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"g\">\n\n</｜DSML｜invoke>\n"
      "</｜DSML｜function_calls>";
  const std::string outer =
      "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n"
      "<｜DSML｜parameter name=\"a\" string=\"true\">x";
  const std::string oops = "</｜DSML｜parameter>oops, and no further mark";
  for (std::size_t longest : {1u, 7u, 1000u}) {
    const Message message = streamed(ChatFormat::kV32, false, outer + inner + oops, 1, longest);
    EXPECT_EQ(message.content, outer + oops);
    ASSERT_EQ(message.tool_calls.value_or(std::vector<ToolCall>{}).size(), 1u);
    EXPECT_EQ(message.tool_calls->front().name, "g");
  }
}

TEST(CompletionParser, CallsWhoseEndMarkerIsMissingAreStillCalls) {
  const std::string text = kV3Calls.substr(0, kV3Calls.find("<｜tool▁calls▁end｜>"));
  ASSERT_TRUE(text.ends_with("<｜tool▁call▁end｜>"));
  const Message message = streamed(ChatFormat::kV3, false, text, 1, 7);
  EXPECT_EQ(message.content, "");
  EXPECT_EQ(message.tool_calls.value().size(), 2u);
}

TEST(CompletionParser, TextAfterTheEndMarkerIsNotLost) {
  for (std::size_t longest : {1u, 100u}) {
    EXPECT_EQ(streamed(ChatFormat::kV31, false, "a" + kEnd + "b", 1, longest).content,
              "a" + kEnd + "b");
    EXPECT_EQ(streamed(ChatFormat::kV31, false, "a" + kEnd, 1, longest).content, "a");
  }
}

// Time that grows with the square of the text would be minutes here.
// Minutes, if the rest were moved for each.
TEST(CompletionParser, ReadsManyMarkersInOnePiece) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += kEnd;
  EXPECT_EQ(streamed(ChatFormat::kV31, true, text, 1, text.size()).content->size(),
            text.size() - kEnd.size());
}

// Soups of markers and text. What went in comes out: reasoning, then the end of it if there was
// one, then content; calls, if any came out whole, are missing from the content, no more.
TEST(CompletionParser, NeverLosesText) {
  const std::vector<std::string> parts = {"text ",
                                          "\n",
                                          "\n\n",
                                          "<",
                                          "｜",
                                          "<think>",
                                          "</think>",
                                          kEnd,
                                          "<｜tool▁calls▁begin｜>",
                                          "<｜tool▁calls▁end｜>",
                                          "<｜tool▁call▁begin｜>",
                                          "<｜tool▁sep｜>",
                                          "<｜tool▁call▁end｜>",
                                          "\n\n<｜DSML｜function_calls",
                                          ">\n",
                                          "<｜DSML｜invoke name=\"f\">\n",
                                          "</｜DSML｜invoke",
                                          "</｜DSML｜function_calls>",
                                          "{\"a\": 1}",
                                          "```json\n",
                                          "漢"};
  std::mt19937 random(9);
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (unsigned n = random() % 15; n > 0; --n) text += parts[random() % parts.size()];
    const auto format = static_cast<ChatFormat>(random() % 5);
    const bool thinking = random() % 2 == 0;
    const Message whole = streamed(format, thinking, text, 0, 1000);
    const Message pieces = streamed(format, thinking, text, round, 1 + random() % 6);
    EXPECT_EQ(assistant_json(whole), assistant_json(pieces)) << text;
    if (whole.tool_calls) continue;
    std::string expected = text;
    if (thinking && whole.reasoning_content.size() < text.size() &&
        text.substr(whole.reasoning_content.size()).starts_with("</think>")) {
      expected.erase(whole.reasoning_content.size(), 8);
    }
    const std::string found = whole.reasoning_content + *whole.content;
    EXPECT_TRUE(found == expected || found + kEnd == expected) << text << "\n-> " << found;
  }
}

TEST(CompletionParser, AgreesWithTheStrictParserOnWhateverThatAccepts) {
  const std::vector<std::string> parts = {"text", "</think>", kEnd, kV31Calls, kV32Calls, "\n\n"};
  std::mt19937 random(10);
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (unsigned n = random() % 5; n > 0; --n) text += parts[random() % parts.size()];
    const auto format = random() % 2 == 0 ? ChatFormat::kV31 : ChatFormat::kV32;
    const bool thinking = random() % 2 == 0;
    if (error_of(format, thinking, text) != "no error") continue;
    ++accepted;
    EXPECT_EQ(assistant_json(streamed(format, thinking, text, round, 9)),
              assistant_json(parse_completion(format, thinking, text)))
        << text;
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace leyden::text
