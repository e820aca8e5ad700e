#include "tools/tool_calls.h"

#include <utility>

#include "formats/json_text.h"

namespace leyden::tools {

formats::Json tool_calls_json(std::vector<text::ToolCall> calls) {
  text::Message message;
  message.tool_calls = std::move(calls);
  return text::assistant_json(message)["tool_calls"];
}

std::string said(const text::Message& message) {
  std::string text = message.content.value_or("");
  if (!message.tool_calls || message.tool_calls->empty()) return text;
  if (!text.empty()) text += '\n';
  return text + formats::json_text(tool_calls_json(*message.tool_calls));
}

}  // namespace leyden::tools
