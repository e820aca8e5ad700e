#include <fmt/format.h>

#include <string>
#include <vector>

#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/tokenizer_builder.h"
#include "formats/tokenizer_file.h"

namespace leyden::formats {
namespace {

// `tokenizer.ggml.token_type` (gguf README, section 4); byte and unknown tokens belong to
// SentencePiece vocabularies.
enum TokenType { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// What the names mean: the splits of the models' own tokenizer.json files.
std::vector<std::string> splits_of(const std::string& pre_tokenizer, const std::string& origin) {
  if (pre_tokenizer == "deepseek-v3") {
    return {"\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
            "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|"
            "\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};
  }
  if (pre_tokenizer == "deepseek-llm") {
    // clang-format cuts the letters up anew at every run.
    // clang-format off
    return {"[\r\n]",
            "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-"
            "ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ"
            "-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
            "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
            "\\s+$",
            "[一-龥ࠀ-一가-퟿]+",
            "\\p{N}+"};
    // clang-format on
  }
  if (pre_tokenizer == "deepseek-coder") {
    return {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"};
  }
  throw LoadError(origin, fmt::format("tokenizer.ggml.pre is '{}', expected 'deepseek-v3', "
                                      "'deepseek-llm' or 'deepseek-coder'",
                                      excerpt(pre_tokenizer, 60)));
}

}  // namespace

TokenizerSpec tokenizer_from_lists(const TokenizerLists& lists, const std::string& origin) {
  if (lists.tokens.size() != lists.types.size()) {
    throw LoadError(origin,
                    fmt::format("tokenizer.ggml.token_type has {} entries, expected {} as in "
                                "tokenizer.ggml.tokens",
                                lists.types.size(), lists.tokens.size()));
  }
  TokenizerBuilder builder(origin);
  for (std::string& pattern : splits_of(lists.pre_tokenizer, origin)) {
    builder.add_split_pattern(std::move(pattern));
  }
  for (std::size_t id = 0; id < lists.tokens.size(); ++id) {
    const TokenPlace place = {"tokenizer.ggml.tokens", id};
    switch (lists.types[id]) {
      case kNormal:
        builder.add_token(id, lists.tokens[id], place);
        break;
      case kControl:
        builder.add_added_token(id, lists.tokens[id], true, place);
        break;
      case kUserDefined:
        builder.add_added_token(id, lists.tokens[id], false, place);
        break;
      case kUnused:
        break;
      default:
        throw LoadError(
            origin, fmt::format("tokenizer.ggml.token_type[{}] is {}, expected 1, 3, 4 or 5", id,
                                lists.types[id]));
    }
  }
  for (std::size_t rank = 0; rank < lists.merges.size(); ++rank) {
    builder.add_merge(lists.merges[rank], {"tokenizer.ggml.merges", rank});
  }
  return builder.finish();
}

}  // namespace leyden::formats
