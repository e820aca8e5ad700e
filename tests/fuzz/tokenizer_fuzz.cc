// Any bytes as tokenizer.json; what is accepted must encode without loss.
#include "formats/tokenizer_file.h"
#include "src/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

FUZZ_TARGET(tokenizer) {
  fuzz::accepts([&] {
    formats::TokenizerSpec spec =
        formats::parse_tokenizer_json(fuzz::text_of(data, size), "tokenizer.json");
    fuzz::accepts([&] { formats::parse_tokenizer_json(formats::tokenizer_json(spec), "written"); });
    const text::Tokenizer tokenizer(std::move(spec));
    constexpr std::string_view kText = "abc 12,34 Wörter 漢字\n\n\xff<｜x｜> don't";
    fuzz::must(tokenizer.decode(tokenizer.encode_text(kText)) == kText, "nothing is lost");
    fuzz::must(tokenizer.decode(tokenizer.encode_trusted(kText)) == kText, "nothing is lost");
  });
  return 0;
}
