#include "src/text/stream_decoder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "formats/utf8.h"

namespace leyden::text {

std::string StreamDecoder::push(TokenId token) {
  std::string text = std::exchange(held_, {});
  text += tokenizer_->bytes_of(token);
  // A character has at most 4 bytes: an unfinished one is among the last 3.
  for (std::size_t n = std::min<std::size_t>(3, text.size()); n > 0; --n) {
    const std::string_view tail = std::string_view(text).substr(text.size() - n);
    if (!formats::utf8_may_continue(tail)) continue;
    held_ = tail;
    text.erase(text.size() - n);
    break;
  }
  return formats::utf8_replace_invalid(text);
}

std::string StreamDecoder::finish() {
  return formats::utf8_replace_invalid(std::exchange(held_, {}));
}

}  // namespace leyden::text
