// Any bytes as a model's answer, streamed in pieces. The first byte chooses the format and whether
// it thinks; the second the sizes of the pieces.
#include "src/text/completion.h"
#include "src/text/completion_parser.h"
#include "src/text/dsml.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

namespace {

using Calls = std::vector<text::ToolCall>;

bool same(const Calls& a, const Calls& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.type == y.type && x.name == y.name && x.arguments == y.arguments;
  });
}

bool same(const text::Message& a, const text::Message& b) {
  return a.reasoning_content == b.reasoning_content &&
         a.content.value_or("") == b.content.value_or("") &&
         same(a.tool_calls.value_or(Calls{}), b.tool_calls.value_or(Calls{}));
}

text::Message streamed(text::ChatFormat format, bool thinking, std::string_view text,
                       std::size_t piece) {
  text::CompletionParser parser(format, thinking);
  std::size_t n = piece;
  while (!text.empty()) {
    parser.push(text.substr(0, n));
    text.remove_prefix(std::min(n, text.size()));
    n = n % 7 + 1;
  }
  parser.finish();
  return parser.message();
}

/// Without calls, only the two markers may have gone.
void must_keep_all(std::string_view text, const text::Message& message) {
  constexpr std::string_view kEnd = "<｜end▁of▁sentence｜>";
  const std::string content = message.content.value_or("");
  for (const std::string middle : {"", "</think>"}) {
    const std::string whole = message.reasoning_content + middle + content;
    if (text == whole || text == whole + std::string(kEnd)) return;
  }
  fuzz::must(false, "no text is lost");
}

/// Whether V3.2's prompt can say these calls again.
bool can_be_repeated(text::ChatFormat format, const Calls& calls) {
  if (calls.empty()) return false;
  if (format != text::ChatFormat::kV32) return true;
  return fuzz::accepts([&] {
    text::PromptWriter nowhere;
    text::write_dsml_calls(calls, nowhere);
  });
}

}  // namespace

FUZZ_TARGET(completion) {
  if (size < 2) return 0;
  constexpr text::ChatFormat kFormats[] = {text::ChatFormat::kV3, text::ChatFormat::kV31,
                                           text::ChatFormat::kV32, text::ChatFormat::kR1,
                                           text::ChatFormat::kV2};
  const text::ChatFormat format = kFormats[data[0] / 2 % std::size(kFormats)];
  const bool thinking = data[0] % 2 == 1;
  const std::string_view text = fuzz::text_of(data + 2, size - 2);

  const text::Message whole = streamed(format, thinking, text, std::max<std::size_t>(1, size));
  const text::Message pieces = streamed(format, thinking, text, data[1] % 7 + 1);
  fuzz::must(same(whole, pieces), "pieces of any size give the same message");
  if (!whole.tool_calls || whole.tool_calls->empty()) must_keep_all(text, whole);
  try {
    const text::Message strict = text::parse_completion(format, thinking, text);
    // Leniently that is content: no call in the block, or one that no prompt could repeat. Inside
    // it there may be another block.
    if (strict.tool_calls && !can_be_repeated(format, *strict.tool_calls)) return 0;
    fuzz::must(same(strict, whole), "where the strict parser agrees, it says the same");
  } catch (const text::ChatError&) {
    return 0;
  }
  return 0;
}
