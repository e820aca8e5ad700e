#pragma once

#include <string>

#include "src/text/token.h"
#include "src/text/tokenizer.h"

namespace leyden::text {

/// Decodes tokens one at a time into text that can be shown at once: a character whose bytes are
/// spread over several tokens appears with the last of them, never in halves. Bytes that can't
/// become a character appear as U+FFFD, so the output is well-formed UTF-8.
class StreamDecoder {
 public:
  /// Borrows `tokenizer`.
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// The text that `token` completes, possibly empty.
  std::string push(TokenId token);
  /// What a stream that ends here leaves over: U+FFFD for an unfinished character, else nothing.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::string held_;  // the first bytes of a character
};

}  // namespace leyden::text
