#include "src/text/tokenizer.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "formats/utf8.h"

namespace leyden::text {

Tokenizer::Tokenizer(formats::TokenizerSpec spec)
    : bpe_(spec),
      pretokenizer_(spec.split_patterns, spec.origin),
      bytes_(std::move(spec.token_bytes)),
      kinds_(bytes_.size(), Kind::kText) {
  std::set<std::size_t, std::greater<>> lengths;
  std::set<char> first_bytes;
  for (const formats::AddedToken& token : spec.added_tokens) {
    bytes_[token.id] = token.text;
    kinds_[token.id] = token.special ? Kind::kSpecial : Kind::kAdded;
    added_.emplace(bytes_[token.id], token.id);
    lengths.insert(token.text.size());
    first_bytes.insert(token.text[0]);
  }
  added_lengths_.assign(lengths.begin(), lengths.end());
  added_first_bytes_.assign(first_bytes.begin(), first_bytes.end());
}

void Tokenizer::append_text(std::string_view text, std::vector<TokenId>& out) const {
  const std::function<void(std::string_view)> encode_piece = [&](std::string_view piece) {
    bpe_.encode(piece, out);
  };
  while (!text.empty()) {
    const std::size_t valid = formats::utf8_valid_prefix(text);
    pretokenizer_.split(text.substr(0, valid), encode_piece);
    text.remove_prefix(valid);
    while (!text.empty() && formats::utf8_sequence_length(text) == 0) {
      bpe_.encode(text.substr(0, 1), out);
      text.remove_prefix(1);
    }
  }
}

std::optional<TokenId> Tokenizer::added_token_at(std::string_view text) const {
  for (const std::size_t length : added_lengths_) {
    if (length > text.size()) continue;
    const auto found = added_.find(text.substr(0, length));
    if (found != added_.end()) return found->second;
  }
  return std::nullopt;
}

std::vector<TokenId> Tokenizer::encode_text(std::string_view text) const {
  std::vector<TokenId> out;
  append_text(text, out);
  return out;
}

std::vector<TokenId> Tokenizer::encode_trusted(std::string_view text) const {
  return encode({{Voice::kFormat, std::string(text)}});
}

std::vector<TokenId> Tokenizer::encode(const Prompt& prompt) const {
  std::vector<TokenId> out;
  std::string stretch;  // the text since the last added token, across segments
  const auto end_stretch = [&] {
    append_text(stretch, out);
    stretch.clear();
  };
  for (const Segment& segment : prompt) {
    std::string_view rest = segment.text;
    while (segment.voice == Voice::kFormat && !rest.empty()) {
      const std::size_t start = rest.find_first_of(added_first_bytes_);
      if (start == std::string_view::npos) break;
      stretch += rest.substr(0, start);
      rest.remove_prefix(start);
      if (const auto token = added_token_at(rest)) {
        end_stretch();
        out.push_back(*token);
        rest.remove_prefix(bytes_[*token].size());
      } else {
        stretch += rest[0];
        rest.remove_prefix(1);
      }
    }
    stretch += rest;
  }
  end_stretch();
  return out;
}

std::string Tokenizer::decode(std::span<const TokenId> tokens) const {
  std::string text;
  for (const TokenId token : tokens) text += bytes_of(token);
  return text;
}

std::string_view Tokenizer::bytes_of(TokenId token) const noexcept {
  if (token < 0 || token >= id_end()) return {};
  return bytes_[token];
}

bool Tokenizer::is_added(TokenId token) const noexcept {
  return token >= 0 && token < id_end() && kinds_[token] != Kind::kText;
}

bool Tokenizer::is_special(TokenId token) const noexcept {
  return token >= 0 && token < id_end() && kinds_[token] == Kind::kSpecial;
}

std::optional<TokenId> Tokenizer::added_token(std::string_view text) const {
  const auto found = added_.find(text);
  if (found == added_.end()) return std::nullopt;
  return found->second;
}

}  // namespace leyden::text
