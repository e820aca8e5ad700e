#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "formats/tokenizer_spec.h"

namespace leyden::formats {

/// An entry of a list in a tokenizer file, for error messages: "model.merges[17]".
struct TokenPlace {
  std::string_view list;
  std::size_t index;
};

/// Puts a TokenizerSpec together from the parts that tokenizer files have in common and checks
/// what the spec guarantees. Call in this order: all tokens, added tokens, merges, finish().
/// All functions throw LoadError beginning with `origin` and the entry's place.
class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(std::string origin) : origin_(std::move(origin)) {}

  /// A token of the vocabulary in the spelling of formats/byte_alphabet.h. One that has other
  /// characters must turn out to be an added token.
  void add_token(std::int64_t id, std::string_view spelling, TokenPlace place);

  /// May repeat a token of the vocabulary with the same id and the same text.
  void add_added_token(std::int64_t id, std::string_view text, bool special, TokenPlace place);

  void add_merge(std::string_view left, std::string_view right, TokenPlace place);
  /// A merge written as "left right".
  void add_merge(std::string_view pair, TokenPlace place);

  /// Errors: also for one more than kMaxSplitPatterns.
  void add_split_pattern(std::string pattern);

  TokenizerSpec finish();

 private:
  std::int32_t checked_id(std::int64_t id, TokenPlace place) const;
  std::int32_t merge_token(std::string_view spelling, TokenPlace place) const;
  [[noreturn]] void refuse(TokenPlace place, const std::string& what) const;

  std::string origin_;
  TokenizerSpec spec_;
  std::unordered_map<std::string, std::int32_t> ids_;          // of spelled tokens
  std::unordered_map<std::int32_t, std::string> unspellable_;  // to be added tokens
  std::unordered_map<std::int32_t, std::size_t> added_ids_;    // index into added_tokens
  std::unordered_map<std::string, std::int32_t> added_texts_;
};

}  // namespace leyden::formats
