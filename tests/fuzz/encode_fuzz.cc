// Any bytes through the tokenizer and back.
#include "src/text/stream_decoder.h"
#include "tests/fuzz/demo_tokenizer.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

namespace {

std::string streamed(const std::vector<text::TokenId>& tokens) {
  text::StreamDecoder decoder(fuzz::demo_tokenizer());
  std::string text;
  for (const text::TokenId token : tokens) {
    const std::string piece = decoder.push(token);
    fuzz::must(formats::utf8_valid_prefix(piece) == piece.size(), "a stream is UTF-8");
    text += piece;
  }
  return text + decoder.finish();
}

}  // namespace

FUZZ_TARGET(encode) {
  const std::string_view text = fuzz::text_of(data, size);
  const std::vector<text::TokenId> tokens = fuzz::demo_tokenizer().encode_text(text);
  fuzz::must(fuzz::demo_tokenizer().decode(tokens) == text, "text comes back");
  for (const text::TokenId token : tokens) {
    fuzz::must(!fuzz::demo_tokenizer().is_added(token), "people's text has no added tokens");
  }
  fuzz::must(fuzz::demo_tokenizer().decode(fuzz::demo_tokenizer().encode_trusted(text)) == text,
             "text comes back");
  fuzz::must(streamed(tokens) == formats::utf8_replace_invalid(text), "a stream says the same");

  const std::size_t cut = size / 3;
  const text::Prompt prompt = {{text::Voice::kFormat, std::string(text.substr(0, cut))},
                               {text::Voice::kPeople, std::string(text.substr(cut))}};
  fuzz::must(fuzz::demo_tokenizer().decode(fuzz::demo_tokenizer().encode(prompt)) == text,
             "a prompt comes back");

  std::vector<text::TokenId> ids;  // two bytes each, so some are no tokens
  for (std::size_t i = 0; i + 1 < size; i += 2) ids.push_back(data[i] + 256 * (data[i + 1] % 16));
  fuzz::must(streamed(ids) == formats::utf8_replace_invalid(fuzz::demo_tokenizer().decode(ids)),
             "a stream says the same");
  return 0;
}
