#include "formats/tokenizer_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "formats/byte_alphabet.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/utf8.h"

namespace leyden::formats {

void TokenizerBuilder::refuse(TokenPlace place, const std::string& what) const {
  throw LoadError(origin_, fmt::format("{}[{}]: {}", place.list, place.index, what));
}

std::int32_t TokenizerBuilder::checked_id(std::int64_t id, TokenPlace place) const {
  if (id < 0 || id > kMaxTokenId) {
    refuse(place, fmt::format("token id is {}, expected 0 to {}", id, kMaxTokenId));
  }
  return static_cast<std::int32_t>(id);
}

void TokenizerBuilder::add_token(std::int64_t wide_id, std::string_view spelling,
                                 TokenPlace place) {
  const std::int32_t id = checked_id(wide_id, place);
  if (spelling.empty()) refuse(place, fmt::format("token {} is empty", id));
  if (!ids_.emplace(spelling, id).second) {
    refuse(place, fmt::format("token '{}' stands here twice", excerpt(spelling, 60)));
  }
  if (static_cast<std::size_t>(id) >= spec_.token_bytes.size()) spec_.token_bytes.resize(id + 1);
  if (!spec_.token_bytes[id].empty() || unspellable_.contains(id)) {
    refuse(place,
           fmt::format("id {} belongs to two tokens, one is '{}'", id, excerpt(spelling, 60)));
  }
  if (auto bytes = unspell_bytes(spelling)) {
    spec_.token_bytes[id] = *std::move(bytes);
  } else {
    unspellable_.emplace(id, spelling);
  }
}

void TokenizerBuilder::add_added_token(std::int64_t wide_id, std::string_view text, bool special,
                                       TokenPlace place) {
  const std::int32_t id = checked_id(wide_id, place);
  if (text.empty()) refuse(place, fmt::format("added token {} is empty", id));
  if (utf8_valid_prefix(text) != text.size()) {
    refuse(place, fmt::format("added token {} '{}' isn't valid UTF-8", id, excerpt(text, 60)));
  }
  const bool new_text = added_texts_.emplace(text, id).second;
  const bool new_id = added_ids_.emplace(id, spec_.added_tokens.size()).second;
  if (!new_text || !new_id) {
    refuse(place, fmt::format("added token {} '{}' stands here twice", id, excerpt(text, 60)));
  }
  if (const auto known = ids_.find(std::string(text)); known != ids_.end() && known->second != id) {
    refuse(place, fmt::format("added token '{}' has id {}, the vocabulary says {}",
                              excerpt(text, 60), id, known->second));
  }
  if (static_cast<std::size_t>(id) >= spec_.token_bytes.size()) spec_.token_bytes.resize(id + 1);
  const auto unspellable = unspellable_.find(id);
  const std::string in_vocabulary =
      unspellable != unspellable_.end() ? unspellable->second : spell_bytes(spec_.token_bytes[id]);
  if (!in_vocabulary.empty() && in_vocabulary != text) {
    refuse(place, fmt::format("added token {} is '{}', the vocabulary says '{}'", id,
                              excerpt(text, 60), excerpt(in_vocabulary, 60)));
  }
  if (unspellable != unspellable_.end()) unspellable_.erase(unspellable);
  spec_.token_bytes[id].clear();  // from now on its text is in added_tokens
  spec_.added_tokens.push_back({id, std::string(text), special});
}

std::int32_t TokenizerBuilder::merge_token(std::string_view spelling, TokenPlace place) const {
  const auto found = ids_.find(std::string(spelling));
  if (found == ids_.end()) {
    refuse(place, fmt::format("'{}' is not in the vocabulary", excerpt(spelling, 60)));
  }
  if (spec_.token_bytes[found->second].empty()) {
    refuse(place, fmt::format("'{}' is an added token, which takes no part in merges",
                              excerpt(spelling, 60)));
  }
  return found->second;
}

void TokenizerBuilder::add_merge(std::string_view left, std::string_view right, TokenPlace place) {
  std::string joined(left);
  joined += right;
  spec_.merges.push_back(
      {merge_token(left, place), merge_token(right, place), merge_token(joined, place)});
}

void TokenizerBuilder::add_merge(std::string_view pair, TokenPlace place) {
  const std::size_t space = pair.find(' ');
  if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos) {
    refuse(place, fmt::format("merge is '{}', expected two tokens with one space between",
                              excerpt(pair, 60)));
  }
  add_merge(pair.substr(0, space), pair.substr(space + 1), place);
}

void TokenizerBuilder::add_split_pattern(std::string pattern) {
  if (spec_.split_patterns.size() == kMaxSplitPatterns) {
    throw LoadError(origin_,
                    fmt::format("pre_tokenizer: '{}' is split pattern number {}, expected "
                                "at most {}",
                                excerpt(pattern, 60), kMaxSplitPatterns + 1, kMaxSplitPatterns));
  }
  spec_.split_patterns.push_back(std::move(pattern));
}

TokenizerSpec TokenizerBuilder::finish() {
  spec_.origin = origin_;
  if (!unspellable_.empty()) {
    const auto& [id, text] = *unspellable_.begin();
    throw LoadError(origin_, fmt::format("token {} is '{}', which is neither an added token nor "
                                         "spelled in the byte alphabet of GPT-2",
                                         id, excerpt(text, 60)));
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids_.find(spell_bytes(std::string(1, static_cast<char>(byte))));
    if (found == ids_.end() || spec_.token_bytes[found->second].empty()) {
      throw LoadError(origin_, fmt::format("the vocabulary has no token for byte 0x{:02X}, "
                                           "expected all 256",
                                           byte));
    }
    spec_.byte_ids[byte] = found->second;
  }
  std::sort(spec_.added_tokens.begin(), spec_.added_tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return std::move(spec_);
}

}  // namespace leyden::formats
