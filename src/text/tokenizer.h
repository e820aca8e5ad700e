#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/tokenizer_spec.h"
#include "src/text/bpe.h"
#include "src/text/pretokenizer.h"
#include "src/text/segment.h"
#include "src/text/token.h"

namespace leyden::text {

/// A model's tokenizer: text to token ids and back, exactly as Hugging Face's tokenizers library
/// does it with the same tokenizer.json. Immutable, so any number of threads may share one.
///
/// Added tokens (turn markers, thinking, tool calls) are matched only in text that the caller
/// vouches for: encode_text() never yields one, so people can't forge a turn by typing its marker.
/// Bytes that aren't UTF-8 are encoded byte by byte, so decode(encode_text(x)) == x for any x.
class Tokenizer {
 public:
  /// Errors: formats::LoadError for a split pattern that doesn't compile.
  explicit Tokenizer(formats::TokenizerSpec spec);
  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;

  std::vector<TokenId> encode_text(std::string_view text) const;
  /// Matches added tokens too, the longest at the leftmost place.
  std::vector<TokenId> encode_trusted(std::string_view text) const;
  /// A rendered prompt. Where two segments meet, the text is cut into pieces as if they were one.
  std::vector<TokenId> encode(const Prompt& prompt) const;

  /// The bytes of all tokens joined; those of the model's answer need not be UTF-8. Ids without a
  /// token (has_token) have no bytes.
  std::string decode(std::span<const TokenId> tokens) const;
  std::string_view bytes_of(TokenId token) const noexcept;

  /// One past the largest id. The model's vocab_size may be larger: ids without a token must never
  /// be sampled.
  TokenId id_end() const noexcept { return static_cast<TokenId>(bytes_.size()); }
  bool has_token(TokenId token) const noexcept { return !bytes_of(token).empty(); }
  bool is_added(TokenId token) const noexcept;
  bool is_special(TokenId token) const noexcept;  // carries the file's `special` flag
  /// The id of an added token, as "<｜User｜>".
  std::optional<TokenId> added_token(std::string_view text) const;

 private:
  enum class Kind : char { kText, kAdded, kSpecial };

  void append_text(std::string_view text, std::vector<TokenId>& out) const;
  // The longest added token at the start of `text`.
  std::optional<TokenId> added_token_at(std::string_view text) const;

  Bpe bpe_;
  Pretokenizer pretokenizer_;
  std::vector<std::string> bytes_;                       // [id]
  std::vector<Kind> kinds_;                              // [id]
  std::unordered_map<std::string_view, TokenId> added_;  // views of bytes_
  std::vector<std::size_t> added_lengths_;               // that occur, descending
  std::string added_first_bytes_;                        // that occur
};

}  // namespace leyden::text
