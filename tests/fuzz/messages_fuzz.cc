// Any bytes as a conversation, rendered in every format.
#include <algorithm>

#include "formats/json.h"
#include "src/text/chat_format.h"
#include "src/text/message.h"
#include "tests/fuzz/demo_tokenizer.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

namespace {

void render_all(const std::vector<text::Message>& messages) {
  for (const auto format : {text::ChatFormat::kV2, text::ChatFormat::kV3, text::ChatFormat::kR1,
                            text::ChatFormat::kV31, text::ChatFormat::kV32}) {
    for (const bool thinking : {false, true}) {
      fuzz::accepts([&] {
        try {
          const text::Prompt prompt = text::render(format, messages, {.thinking = thinking});
          const std::string whole = text::joined(prompt);
          fuzz::must(fuzz::demo_tokenizer().decode(fuzz::demo_tokenizer().encode(prompt)) == whole,
                     "nothing is lost");
        } catch (const text::ChatError&) {
          return;  // the format has no form for these messages
        }
      });
    }
  }
}

}  // namespace

FUZZ_TARGET(messages) {
  fuzz::accepts([&] {
    const formats::Json document = formats::parse_json(fuzz::text_of(data, size), "input");
    const formats::JsonField line(document, "input");
    std::vector<text::Message> messages = text::messages_from_json(line.at("messages"));
    if (const auto tools = line.find("tools")) text::attach_tools(*tools, messages);
    for (const text::Message& message : messages) text::assistant_json(message);
    render_all(messages);
  });
  return 0;
}
