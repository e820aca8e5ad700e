#include "formats/tokenizer_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "formats/byte_alphabet.h"
#include "formats/json.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

using testing::HasSubstr;

std::string every_byte() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

// The smallest tokenizer: 256 bytes, two merges ("ab" 256, "abc" 257) and a marker, 258.
Json small_tokenizer() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[spell_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  vocabulary["ab"] = 256;
  vocabulary["abc"] = 257;
  return {{"added_tokens", {{{"id", 258}, {"content", "<｜x｜>"}, {"special", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "Split"}, {"pattern", {{"Regex", "\\s+"}}}, {"behavior", "Isolated"}},
              {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"a b", "ab c"}}}}};
}

TokenizerSpec parse(const Json& document) {
  return parse_tokenizer_json(json_text(document), "t.json");
}

std::string error_after(const std::function<void(Json&)>& spoil) {
  Json document = small_tokenizer();
  spoil(document);
  try {
    parse(document);
  } catch (const LoadError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ByteAlphabet, SpellsEveryByteAndReadsItBack) {
  EXPECT_EQ(spell_bytes(" a\n\xC3\xA9"), "ĠaĊÃ©");
  EXPECT_EQ(unspell_bytes(spell_bytes(every_byte())), every_byte());
  EXPECT_EQ(unspell_bytes("<｜x｜>"), std::nullopt);
  EXPECT_EQ(unspell_bytes(" "), std::nullopt);
  EXPECT_EQ(unspell_bytes("\xC3"), std::nullopt);
}

TEST(TokenizerFile, ReadsASmallOne) {
  const TokenizerSpec spec = parse(small_tokenizer());
  EXPECT_EQ(spec.token_bytes.size(), 259u);
  EXPECT_EQ(spec.token_bytes[257], "abc");
  EXPECT_EQ(spec.byte_ids[' '], 32);
  EXPECT_EQ(spec.merges[1].left, 256);
  EXPECT_EQ(spec.merges[1].result, 257);
  EXPECT_EQ(spec.added_tokens[0].text, "<｜x｜>");
  EXPECT_TRUE(spec.added_tokens[0].special);
  EXPECT_THAT(spec.split_patterns, testing::ElementsAre("\\s+"));
}

TEST(TokenizerFile, ReadsMergesWrittenAsPairs) {
  EXPECT_EQ(error_after([](Json& d) { d["model"]["merges"][0] = {"a", "b"}; }), "no error");
}

TEST(TokenizerFile, RefusesWhatWouldTokenizeOtherwise) {
  const auto model_error = [](const char* key, Json value) {
    return error_after([&](Json& d) { d["model"][key] = value; });
  };
  EXPECT_EQ(model_error("dropout", 0.1),
            "t.json: field 'model.dropout' is 0.1, expected to be absent, null or false");
  EXPECT_THAT(model_error("byte_fallback", true), HasSubstr("'model.byte_fallback' is true"));
  EXPECT_THAT(model_error("ignore_merges", true), HasSubstr("ignore_merges"));
  EXPECT_EQ(model_error("type", "Unigram"),
            "t.json: field 'model.type' is \"Unigram\", expected \"BPE\"");
  EXPECT_THAT(error_after([](Json& d) {
                d["normalizer"] = {{"type", "NFC"}};
              }),
              HasSubstr("'normalizer.type' is \"NFC\""));
  EXPECT_THAT(error_after([](Json& d) { d["added_tokens"][0]["lstrip"] = true; }),
              HasSubstr("added_tokens[0].lstrip"));
  const auto pre_error = [](int step, const char* key, Json value) {
    return error_after([&](Json& d) { d["pre_tokenizer"]["pretokenizers"][step][key] = value; });
  };
  EXPECT_THAT(pre_error(0, "behavior", "Removed"), HasSubstr("expected \"Isolated\""));
  EXPECT_THAT(pre_error(0, "invert", true), HasSubstr("pretokenizers[0].invert"));
  EXPECT_THAT(pre_error(0, "type", "Whitespace"), HasSubstr("\"Whitespace\", expected"));
  EXPECT_THAT(pre_error(1, "add_prefix_space", true), HasSubstr("add_prefix_space"));
  EXPECT_THAT(pre_error(1, "use_regex", true), HasSubstr("use_regex false"));
  EXPECT_THAT(pre_error(1, "type", "Digits"), HasSubstr("individual_digits"));
}

TEST(TokenizerFile, RefusesMoreSplitsThanCanBeNested) {
  const auto with_splits = [](std::size_t n) {
    return error_after([n](Json& d) {
      Json& steps = d["pre_tokenizer"]["pretokenizers"];
      const Json split = steps[0], byte_level = steps[1];
      steps = Json(n, split);
      steps.push_back(byte_level);
    });
  };
  EXPECT_EQ(with_splits(64), "no error");
  EXPECT_EQ(with_splits(65),
            "t.json: pre_tokenizer: '\\s+' is split pattern number 65, expected at most 64");
}

TEST(TokenizerFile, RefusesContradictions) {
  EXPECT_EQ(error_after([](Json& d) { d["model"]["vocab"]["abc"] = 97; }),
            "t.json: model.vocab[257]: id 97 belongs to two tokens, one is 'abc'");
  EXPECT_EQ(error_after([](Json& d) { d["model"]["vocab"]["abc"] = -1; }),
            "t.json: model.vocab[257]: token id is -1, expected 0 to 1048575");
  EXPECT_THAT(error_after([](Json& d) { d["model"]["vocab"]["abc"] = 1.5; }),
              HasSubstr("'model.vocab.abc' is 1.5"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["vocab"]["abc"] = 1u << 31; }),
              HasSubstr("expected 0 to"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["vocab"]["｜"] = 300; }),
              HasSubstr("token 300 is '｜', which is neither"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["vocab"].erase("q"); }),
              HasSubstr("no token for byte 0x71"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["merges"][0] = "a bb"; }),
              HasSubstr("model.merges[0]: 'bb' is not in the vocabulary"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["merges"][0] = "a b c"; }),
              HasSubstr("two tokens with one space"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["merges"][1] = "b c"; }),
              HasSubstr("model.merges[1]: 'bc' is not in"));
  EXPECT_THAT(error_after([](Json& d) { d["model"]["merges"][1] = 5; }),
              HasSubstr("model.merges[1]"));
  EXPECT_THAT(error_after([](Json& d) { d["added_tokens"][0]["id"] = 97; }),
              HasSubstr("added token 97 is '<｜x｜>', the vocabulary says 'a'"));
  EXPECT_THAT(error_after([](Json& d) { d["added_tokens"][0]["content"] = "ab"; }),
              HasSubstr("'ab' has id 258, the vocabulary says 256"));
  EXPECT_THAT(error_after([](Json& d) { d["added_tokens"].push_back(d["added_tokens"][0]); }),
              HasSubstr("added_tokens[1]: added token 258 '<｜x｜>' stands here twice"));
  EXPECT_THAT(error_after([](Json& d) { d["added_tokens"][0]["content"] = ""; }),
              HasSubstr("is empty"));
  EXPECT_THAT(error_after([](Json& d) {
                d["added_tokens"][0] = {{"id", 97}, {"content", "a"}};
              }),
              HasSubstr("which takes no part in merges"));
  EXPECT_THAT(error_after([](Json& d) { d.erase("model"); }), HasSubstr("'model' is missing"));
}

TEST(TokenizerFile, AnyMutationGivesATokenizerOrALoadError) {
  const std::string good = json_text(small_tokenizer());
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (unsigned n = random() % 4 + 1; n > 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        case 2:
          text.insert(at, good.substr(random() % good.size(), random() % 30));
          break;
        default:
          text[at] = "0123456789\"{}[]:,-"[random() % 18];
      }
    }
    try {
      parse_tokenizer_json(text, "mutated");
    } catch (const LoadError&) {
    }
  }
}

class TokenizerListsTest : public testing::Test {
 protected:
  TokenizerListsTest() {
    for (int byte = 0; byte < 256; ++byte) {
      tokens.push_back(spell_bytes(std::string(1, static_cast<char>(byte))));
    }
    tokens.insert(tokens.end(), {"ab", "<｜x｜>", "<y>", "[PAD]"});
    types.assign(256, 1);
    types.insert(types.end(), {1, 3, 4, 5});
  }
  TokenizerSpec load() const {
    return tokenizer_from_lists(
        {.tokens = tokens, .types = types, .merges = merges, .pre_tokenizer = pre}, "x.gguf");
  }
  std::string error() const {
    try {
      load();
    } catch (const LoadError& refusal) {
      return refusal.what();
    }
    return "no error";
  }
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges = {"a b"};
  std::string pre = "deepseek-v3";
};

TEST_F(TokenizerListsTest, TypesDecideWhatATokenIs) {
  const TokenizerSpec spec = load();
  EXPECT_EQ(spec.token_bytes[256], "ab");
  ASSERT_EQ(spec.added_tokens.size(), 2u);
  EXPECT_TRUE(spec.added_tokens[0].special);
  EXPECT_FALSE(spec.added_tokens[1].special);
  EXPECT_EQ(spec.split_patterns.size(), 3u);
}

TEST_F(TokenizerListsTest, RefusesBrokenLists) {
  types.back() = 6;
  EXPECT_EQ(error(), "x.gguf: tokenizer.ggml.token_type[259] is 6, expected 1, 3, 4 or 5");
  types.pop_back();
  EXPECT_THAT(error(), HasSubstr("has 259 entries, expected 260"));
  types.push_back(5);
  tokens[257] = "\xFF";
  EXPECT_THAT(error(), HasSubstr("isn't valid UTF-8"));
  tokens[257] = "<x>";
  merges = {"a x"};
  EXPECT_THAT(error(), HasSubstr("tokenizer.ggml.merges[0]: 'ax' is not in the vocabulary"));
  pre = "llama-bpe";
  EXPECT_THAT(error(), HasSubstr("tokenizer.ggml.pre is 'llama-bpe', expected 'deepseek-v3'"));
}

}  // namespace
}  // namespace leyden::formats
