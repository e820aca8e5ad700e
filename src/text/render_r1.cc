#include <string>
#include <string_view>

#include "src/text/chat_render.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using namespace marker;

/// chat_template of DeepSeek-R1 as it is published now: V3's frame, but calls may stand beside
/// content, and the answer begins with thoughts, which later prompts leave out.
class R1Renderer {
 public:
  R1Renderer(const std::vector<Message>& messages, const RenderOptions& options)
      : messages_(messages), options_(options) {}

  Prompt render() {
    if (options_.add_begin) prompt_.format(kBegin);
    write_system_messages(messages_, prompt_);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const Message& message = messages_[i];
      if (message.role == "user") {
        after_tool_ = false;
        prompt_.format(kUser).people(content_of(messages_, i));
      } else if (message.role == "assistant") {
        message.tool_calls ? tool_calls(message) : answer(content_of(messages_, i));
      } else if (message.role == "tool") {
        tool_output(content_of(messages_, i));
      }
    }
    if (after_tool_) {
      prompt_.format(kToolOutputsEnd);
    } else if (options_.add_generation_prompt) {
      prompt_.format(kAssistant).format(kThink).format("\n");
    }
    return prompt_.take();
  }

 private:
  // What is said after a tool's result stays whole.
  void answer(std::string_view content) {
    if (!after_tool_) {
      if (const auto end = content.rfind(kEndThink); end != std::string_view::npos) {
        content.remove_prefix(end + kEndThink.size());
      }
    }
    prompt_.format(after_tool_ ? kToolOutputsEnd : kAssistant).people(content).format(kEnd);
    after_tool_ = false;
  }

  // Only the first call of the whole conversation opens its block, and brings its content.
  void tool_calls(const Message& message) {
    after_tool_ = false;
    for (const ToolCall& call : *message.tool_calls) {
      if (call_seen_) {
        prompt_.format("\n");
      } else {
        prompt_.format(kAssistant).people(message.content.value_or("")).format(kToolCallsBegin);
      }
      call_seen_ = true;
      prompt_.format(kToolCallBegin).people(call.type).format(kToolSep).people(call.name);
      prompt_.format("\n```json\n").people(call.arguments).format("\n```").format(kToolCallEnd);
    }
    prompt_.format(kToolCallsEnd).format(kEnd);
  }

  void tool_output(const std::string& content) {
    after_tool_ = true;
    if (!output_seen_) prompt_.format(kToolOutputsBegin);
    output_seen_ = true;
    prompt_.format(kToolOutputBegin).people(content).format(kToolOutputEnd);
  }

  const std::vector<Message>& messages_;
  const RenderOptions& options_;
  PromptWriter prompt_;
  bool after_tool_ = false;   // no user or assistant message since the last tool result
  bool call_seen_ = false;    // in the whole conversation
  bool output_seen_ = false;  // in the whole conversation
};

}  // namespace

Prompt render_r1(const std::vector<Message>& messages, const RenderOptions& options) {
  return R1Renderer(messages, options).render();
}

}  // namespace leyden::text
