#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace leyden::formats {

/// Ids are below this in every file we accept; real vocabularies have up to 262144.
inline constexpr std::int32_t kMaxTokenId = (1 << 20) - 1;

/// Each split works on the pieces of the one before, by a call of its own: any number of them would
/// fill the stack. Real tokenizers have a handful.
inline constexpr std::size_t kMaxSplitPatterns = 64;

/// Two neighbouring tokens that become one. The place in the list is the rank: lower goes first.
struct TokenMerge {
  std::int32_t left;
  std::int32_t right;
  std::int32_t result;
};

/// A token outside the BPE vocabulary's reach: recognized as a whole in trusted text only.
struct AddedToken {
  std::int32_t id;
  std::string text;  // UTF-8, not empty
  bool special;      // the file's flag; in this family role and thinking markers don't carry it
};

/// A byte-level BPE tokenizer, checked: whoever made one (formats/tokenizer_file.h) guarantees
///  - every id is in [0, kMaxTokenId], belongs to one token, and no two tokens are equal;
///  - every single byte is a token, so that any text can be encoded;
///  - merges name ids of `token_bytes`, and the result's bytes are left's followed by right's;
///  - every id with neither bytes nor an added token is a hole that no text reaches.
struct TokenizerSpec {
  std::string origin = "tokenizer";      // begins the messages about what turns out later
  std::vector<std::string> token_bytes;  // [largest id + 1]; empty: added token or hole
  std::array<std::int32_t, 256> byte_ids{};
  std::vector<TokenMerge> merges;        // best first
  std::vector<AddedToken> added_tokens;  // ascending ids
  /// Splits of the text before BPE, applied one after another to the pieces of the one before;
  /// a match is a piece, and so is what lies between two matches. Oniguruma syntax. At most
  /// kMaxSplitPatterns.
  std::vector<std::string> split_patterns;
};

}  // namespace leyden::formats
