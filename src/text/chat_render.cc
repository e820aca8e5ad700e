#include "src/text/chat_render.h"

#include <fmt/format.h>

#include <string>

#include "formats/json_text.h"

namespace leyden::text {

PromptWriter& PromptWriter::append(Voice voice, std::string_view text) {
  if (text.empty()) return *this;
  if (prompt_.empty() || prompt_.back().voice != voice) prompt_.push_back({voice, {}});
  prompt_.back().text += text;
  return *this;
}

void write_system_messages(const std::vector<Message>& messages, PromptWriter& prompt) {
  std::string_view separator;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != "system") continue;
    prompt.format(separator).people(content_of(messages, i));
    separator = "\n\n";
  }
}

const std::string& content_of(const std::vector<Message>& messages, std::size_t index) {
  if (!messages[index].content) refuse(messages, index, "has no content");
  return *messages[index].content;
}

void refuse(const std::vector<Message>& messages, std::size_t index, std::string_view what) {
  throw ChatError(
      fmt::format("message {} ({}) {}", index, formats::excerpt(messages[index].role, 40), what));
}

}  // namespace leyden::text
