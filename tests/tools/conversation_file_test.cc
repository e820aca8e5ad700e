#include "src/conversation_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

#include "formats/json.h"
#include "formats/load_error.h"
#include "formats/output_file.h"
#include "tests/formats/comma_locale.h"

namespace leyden {
namespace {

using ::testing::HasSubstr;

class ConversationFileTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void put(const std::string& text) const { std::ofstream(file_) << text; }
  std::string get() const {
    std::stringstream text;
    text << std::ifstream(file_).rdbuf();
    return text.str();
  }
  /// What reading says about a file with this text.
  std::string refusal(const std::string& text) const {
    put(text);
    try {
      read_conversation(file_);
    } catch (const formats::LoadError& error) {
      EXPECT_EQ(get(), text) << "a file that is refused must be kept";
      return error.what();
    }
    return "no refusal";
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::filesystem::path file_ = folder_ / "talk.json";
};

Conversation example() {
  Conversation talk;
  talk.model = "/models/demo";
  for (const char* role : {"system", "user", "assistant"}) {
    text::Message& message = talk.messages.emplace_back();
    message.role = role;
    message.content = std::string("line 1\n漢字 \x1b \\ \" of ") + role;
  }
  talk.messages.back().reasoning_content = "Hm.";
  talk.settings.emplace().sampling.temperature = 0.6f;
  talk.settings->sampling.top_k = 40;
  talk.settings->sampling.seed = ~std::uint64_t{0};
  talk.settings->sampling.logit_bias = {{7, -100.0f}};
  talk.settings->draws = 123;
  talk.settings->max_tokens = 99;
  talk.settings->stops = {"\n\n"};
  talk.settings->thinking = talk.settings->fold_thinking = true;
  return talk;
}

TEST_F(ConversationFileTest, EverythingComesBack) {
  const Conversation talk = example();
  write_conversation(file_, talk);
  const Conversation back = read_conversation(file_);
  EXPECT_EQ(back.model, talk.model);
  ASSERT_EQ(back.messages.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.messages[i].role, talk.messages[i].role);
    EXPECT_EQ(back.messages[i].content, talk.messages[i].content);
    EXPECT_EQ(back.messages[i].reasoning_content, talk.messages[i].reasoning_content);
  }
  const auto& sampling = back.settings->sampling;
  EXPECT_EQ(sampling.temperature, 0.6f);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.seed, ~std::uint64_t{0});
  EXPECT_EQ(sampling.logit_bias, talk.settings->sampling.logit_bias);
  EXPECT_EQ(back.settings->draws, 123u);
  EXPECT_EQ(back.settings->max_tokens, 99);
  EXPECT_EQ(back.settings->stops, talk.settings->stops);
  EXPECT_TRUE(back.settings->thinking);
  EXPECT_TRUE(back.settings->fold_thinking);
  EXPECT_THAT(get(), HasSubstr("\"temperature\": 0.6,")) << "numbers as people write them";
}

TEST_F(ConversationFileTest, NumbersAreTheSameWhereDecimalsHaveAComma) {
  write_conversation(file_, example());
  const std::string text = get();
  const fixtures::CommaLocale locale;
  if (!locale.works()) GTEST_SKIP() << "the C library takes no such locale";
  write_conversation(file_, example());
  EXPECT_EQ(get(), text);
  EXPECT_EQ(read_conversation(file_).settings->sampling.temperature, 0.6f);
}

TEST_F(ConversationFileTest, AFileWithoutSettingsHasNone) {
  put(R"({"format": "leyden-conversation", "version": 1, "messages": []})");
  EXPECT_FALSE(read_conversation(file_).settings);
}

TEST_F(ConversationFileTest, IntegersBeyond64BitsKeepTheirDigits) {
  Conversation talk = example();
  talk.messages[0].tools = formats::parse_json(
      R"([{"type": "function", "function": {"name": "f", "parameters": {
          "properties": {"n": {"type": "integer", "maximum": 123456789012345678901234567890}}}}}])",
      "tools");
  talk.messages[0].response_format = formats::parse_json("-98765432109876543210", "schema");
  write_conversation(file_, talk);
  EXPECT_THAT(get(), HasSubstr("\"maximum\": 123456789012345678901234567890\n"));
  EXPECT_THAT(get(), HasSubstr("\"response_format\": -98765432109876543210\n"));
  EXPECT_EQ(read_conversation(file_).messages[0].tools, talk.messages[0].tools);
}

TEST_F(ConversationFileTest, OnlyTheOwnerMayReadIt) {
  write_conversation(file_, example());
  EXPECT_EQ(std::filesystem::status(file_).permissions(), std::filesystem::perms(0600));
}

TEST_F(ConversationFileTest, BytesThatAreNoTextAreReplaced) {
  Conversation talk = example();
  talk.messages[1].content = "a\xff z";
  write_conversation(file_, talk);
  EXPECT_EQ(read_conversation(file_).messages[1].content, "a\uFFFD z");
}

TEST_F(ConversationFileTest, WhatIsNoConversationIsRefusedByNameOfTheField) {
  EXPECT_THAT(refusal("{"), HasSubstr("talk.json: byte 1"));
  EXPECT_THAT(refusal("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("field 'format'"));
  const std::string head = R"({"format": "leyden-conversation", "version": )";
  EXPECT_THAT(refusal(head + "2}"), HasSubstr("field 'version' is 2, this leyden reads up to 1"));
  EXPECT_THAT(refusal(head + "1}"), HasSubstr("field 'messages' is missing"));
  EXPECT_THAT(refusal(head + R"(1, "messages": [{"role": "god", "content": ""}]})"),
              HasSubstr("field 'messages[0].role' is \"god\""));
  EXPECT_THAT(refusal(head + R"(1, "messages": [{"role": "user", "content": 3}]})"),
              HasSubstr("field 'messages[0].content'"));
  EXPECT_THAT(refusal(head + R"(1, "messages": [], "settings": {"top_p": 7}})"),
              HasSubstr("field 'settings': top-p is 7"));
  EXPECT_THAT(refusal(head + R"(1, "messages": [], "settings": {"seed": -1}})"),
              HasSubstr("field 'settings.seed' is -1"));
}

// What JSON made of a logit bias of -inf, before that was refused.
TEST_F(ConversationFileTest, ALogitBiasOfNullForbidsTheToken) {
  put(R"({"format": "leyden-conversation", "version": 1, "messages": [],
          "settings": {"logit_bias": [[5, null], [7, -1.5]]}})");
  const auto bias = read_conversation(file_).settings.value().sampling.logit_bias;
  ASSERT_EQ(bias.size(), 2u);
  EXPECT_EQ(bias[0], std::pair(5, std::numeric_limits<float>::lowest()));
  EXPECT_EQ(bias[1], std::pair(7, -1.5f));
}

TEST_F(ConversationFileTest, AFileThatCanNotBeWrittenLeavesTheEarlierOne) {
  write_conversation(file_, example());
  const std::string before = get();
  std::filesystem::create_directory(folder_ / "talk.json.partial");
  EXPECT_THROW(write_conversation(file_, example()), formats::WriteError);
  EXPECT_EQ(get(), before);
}

}  // namespace
}  // namespace leyden
