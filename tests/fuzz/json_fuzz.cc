// Any bytes as JSON, and as a conversation that was kept.
#include "formats/json.h"
#include "formats/json_text.h"
#include "src/conversation_file.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

FUZZ_TARGET(json) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepts([&] {
    const formats::Json document = formats::parse_json(text, "input");
    const std::string written = formats::json_text(document);
    const formats::Json again = formats::parse_json(written, "written");
    fuzz::must(formats::json_text(again) == written, "JSON written is read back the same");
  });
  const fuzz::MemoryFile file(text);
  fuzz::accepts([&] {
    const Conversation conversation = read_conversation(file.path());
    for (const text::Message& message : conversation.messages) {
      fuzz::must(!message.role.empty(), "a message that was read has a role");
    }
  });
  return 0;
}
