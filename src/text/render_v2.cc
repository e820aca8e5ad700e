#include "src/text/chat_render.h"
#include "src/text/markers.h"

namespace leyden::text {

/// chat_template of DeepSeek-V2-Lite-Chat. It has no form for tools; what its template would drop
/// of them in silence is refused.
Prompt render_v2(const std::vector<Message>& messages, const RenderOptions& options) {
  PromptWriter prompt;
  if (options.add_begin) prompt.format(marker::kBegin);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.role == "tool") refuse(messages, i, "is a tool's, and v2 has no tools");
    if (message.tools.is_array() && !message.tools.empty()) {
      refuse(messages, i, "offers tools, which v2 doesn't have");
    }
    if (message.tool_calls && !message.tool_calls->empty()) {
      refuse(messages, i, "calls tools, which v2 doesn't have");
    }
    if (message.role == "user") {
      prompt.format("User: ").people(content_of(messages, i)).format("\n\n");
    } else if (message.role == "assistant") {
      prompt.format("Assistant: ").people(content_of(messages, i)).format(marker::kEnd);
    } else if (message.role == "system") {
      prompt.people(content_of(messages, i)).format("\n\n");
    }
  }
  if (options.add_generation_prompt) prompt.format("Assistant:");
  return prompt.take();
}

}  // namespace leyden::text
