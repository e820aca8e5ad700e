#include "src/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "formats/utf8.h"
#include "src/text/stream_decoder.h"
#include "tests/text/text_data.h"

namespace leyden::text {
namespace {

using testing::ElementsAre;

TEST(Tokenizer, AgreesWithHuggingFaceOnEveryVectorBothWays) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  int lines = 0;
  for (const formats::Json& line : json_lines("tokenizer_vectors.jsonl")) {
    const auto text = line["text"].get<std::string>();
    const auto ids = line["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer.encode_trusted(text), ids) << line;
    EXPECT_EQ(tokenizer.decode(ids), text) << line;
    ++lines;
  }
  EXPECT_EQ(lines, 421);
}

TEST(Tokenizer, AgreesWithLlamaCppOnAGgufVocabulary) {
  const formats::Json lists = formats::read_json_file(text_data("gguf_lists.json"));
  const auto tokens = lists["tokens"].get<std::vector<std::string>>();
  const auto types = lists["token_type"].get<std::vector<std::int32_t>>();
  const auto merges = lists["merges"].get<std::vector<std::string>>();
  const Tokenizer tokenizer(formats::tokenizer_from_lists(
      {.tokens = tokens, .types = types, .merges = merges, .pre_tokenizer = lists["pre"]},
      "x.gguf"));
  for (const formats::Json& line : json_lines("gguf_tokenize.jsonl")) {
    EXPECT_EQ(tokenizer.encode_trusted(line["text"].get<std::string>()),
              line["tokens"].get<std::vector<TokenId>>())
        << line;
  }
}

TEST(Tokenizer, PeoplesTextNeverBecomesAControlToken) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  for (TokenId id = 0; id < tokenizer.id_end(); ++id) {
    if (!tokenizer.is_added(id)) continue;
    const std::string marker(tokenizer.bytes_of(id));
    EXPECT_EQ(tokenizer.encode_trusted(marker), std::vector<TokenId>{id});
    const std::vector<TokenId> forged = tokenizer.encode_text("a" + marker + "b");
    for (const TokenId token : forged) EXPECT_FALSE(tokenizer.is_added(token)) << marker;
    EXPECT_EQ(tokenizer.decode(forged), "a" + marker + "b");
  }
}

TEST(Tokenizer, MatchesMarkersOnlyInTheFormatsOwnSegments) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  const TokenId user = tokenizer.added_token("<｜User｜>").value();
  const std::vector<TokenId> ids = tokenizer.encode({{Voice::kFormat, "<｜User｜>"},
                                                     {Voice::kPeople, "<｜User｜>"},
                                                     {Voice::kFormat, "<｜Us"},
                                                     {Voice::kPeople, "er｜>"},
                                                     {Voice::kFormat, "<｜User｜>"}});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), user), 2);
  EXPECT_EQ(ids.front(), user);
  EXPECT_EQ(ids.back(), user);
  EXPECT_EQ(tokenizer.decode(ids), "<｜User｜><｜User｜><｜User｜><｜User｜>");
}

TEST(Tokenizer, SegmentsAreCutIntoPiecesAsOneText) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  EXPECT_EQ(tokenizer.encode(
                {{Voice::kPeople, "Hel"}, {Voice::kFormat, "lo wor"}, {Voice::kPeople, "ld"}}),
            tokenizer.encode_text("Hello world"));
}

TEST(Tokenizer, AnyBytesComeBackFromEncoding) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    while (text.size() < 200) {
      const auto kind = random() % 4;
      if (kind == 0) text += static_cast<char>(random());
      if (kind == 1) text += static_cast<char>(32 + random() % 96);
      if (kind == 2) text += "漢é😀 \u180e\u2003";
      if (kind == 3) text += "\n\n  "[random() % 4];
    }
    EXPECT_EQ(tokenizer.decode(tokenizer.encode_text(text)), text);
  }
}

TEST(Tokenizer, LongRunsAreEncodedInGoodTime) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  for (const std::string unit :
       {"a", " ", "\n", "漢", "1", "!", "\t ", "\x01", "é", "ab12", "\u0301"}) {
    std::string text;
    while (text.size() < 200000) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode_text(text)), text);
  }
}

TEST(Tokenizer, KnowsWhichIdsAreTokens) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  EXPECT_EQ(tokenizer.id_end(), 128815);
  EXPECT_FALSE(tokenizer.has_token(-1));
  EXPECT_FALSE(tokenizer.has_token(128815));
  EXPECT_TRUE(tokenizer.has_token(128814));
  EXPECT_TRUE(tokenizer.is_special(1));
  EXPECT_TRUE(tokenizer.is_added(128804));
  EXPECT_FALSE(tokenizer.is_special(128804));
  EXPECT_FALSE(tokenizer.is_added(128));
  EXPECT_EQ(tokenizer.added_token("<｜end▁of▁sentence｜>"), 1);
  EXPECT_EQ(tokenizer.added_token("hello"), std::nullopt);
}

TEST(Tokenizer, TheDemoModelsTokenizerLoadsAndReturnsItsText) {
  const Tokenizer& tokenizer = demo_tokenizer();
  EXPECT_EQ(tokenizer.id_end(), 2048);
  const std::string text = "What is 12 + 34? Ein Satz, 漢字 and\n\n  spaces.";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode_text(text)), text);
  EXPECT_THAT(tokenizer.encode_trusted("<｜User｜></think>"), ElementsAre(2040, 2036));
}

TEST(Tokenizer, WrittenOutAndReadBackItIsTheSame) {
  const formats::TokenizerSpec spec = formats::read_tokenizer_file(text_data("tokenizer.json"));
  const formats::TokenizerSpec again =
      formats::parse_tokenizer_json(formats::tokenizer_json(spec), "written");
  EXPECT_EQ(again.token_bytes, spec.token_bytes);
  EXPECT_EQ(again.byte_ids, spec.byte_ids);
  EXPECT_EQ(again.split_patterns, spec.split_patterns);
  ASSERT_EQ(again.merges.size(), spec.merges.size());
  for (std::size_t i = 0; i < spec.merges.size(); ++i) {
    ASSERT_EQ(again.merges[i].left, spec.merges[i].left);
    ASSERT_EQ(again.merges[i].result, spec.merges[i].result);
  }
  ASSERT_EQ(again.added_tokens.size(), spec.added_tokens.size());
  for (std::size_t i = 0; i < spec.added_tokens.size(); ++i) {
    EXPECT_EQ(again.added_tokens[i].text, spec.added_tokens[i].text);
    EXPECT_EQ(again.added_tokens[i].special, spec.added_tokens[i].special);
  }
}

TEST(StreamDecoder, NeverShowsHalfACharacter) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  const std::string text = "naïve 漢字鿿 😀👩‍👩‍👧 ok";
  StreamDecoder decoder(tokenizer);
  std::string shown;
  for (const TokenId token : tokenizer.encode_text(text)) {
    const std::string piece = decoder.push(token);
    EXPECT_EQ(formats::utf8_valid_prefix(piece), piece.size());
    shown += piece;
  }
  EXPECT_EQ(shown + decoder.finish(), text);
}

TEST(StreamDecoder, EndsAnUnfinishedCharacterWithAReplacement) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  const std::vector<TokenId> ids = tokenizer.encode_text("a\xF0\x9F\x98");
  StreamDecoder decoder(tokenizer);
  std::string shown;
  for (const TokenId token : ids) shown += decoder.push(token);
  EXPECT_EQ(shown, "a");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, JoinedOutputIsTheTextWithReplacements) {
  const Tokenizer& tokenizer = deepseek_tokenizer();
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<TokenId> ids(20);
    for (TokenId& id : ids) id = static_cast<TokenId>(random() % (round % 2 ? 300 : 129000));
    StreamDecoder decoder(tokenizer);
    std::string shown;
    for (const TokenId id : ids) shown += decoder.push(id);
    shown += decoder.finish();
    EXPECT_EQ(shown, formats::utf8_replace_invalid(tokenizer.decode(ids)));
  }
}

}  // namespace
}  // namespace leyden::text
