#include "src/text/chat_render.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using namespace marker;

/// chat_template of DeepSeek-V3, quirks included: prompts must equal those the model was trained on
/// and is served with.
class V3Renderer {
 public:
  V3Renderer(const std::vector<Message>& messages, const RenderOptions& options)
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
        message.content ? answer(*message.content) : tool_calls(message);
      } else if (message.role == "tool") {
        tool_output(content_of(messages_, i));
      }
    }
    if (after_tool_) {
      prompt_.format(kToolOutputsEnd);
    } else if (options_.add_generation_prompt) {
      prompt_.format(kAssistant);
    }
    return prompt_.take();
  }

 private:
  void answer(const std::string& content) {
    prompt_.format(after_tool_ ? kToolOutputsEnd : kAssistant).people(content).format(kEnd);
    after_tool_ = false;
  }

  // Only calls after the first of the whole conversation are closed, each by itself.
  void tool_calls(const Message& message) {
    after_tool_ = false;
    if (!message.tool_calls) return;
    for (const ToolCall& call : *message.tool_calls) {
      const bool first = !call_seen_;
      call_seen_ = true;
      if (first) {
        prompt_.format(kAssistant).format(kToolCallsBegin);
      } else {
        prompt_.format("\n");
      }
      prompt_.format(kToolCallBegin).people(call.type).format(kToolSep).people(call.name);
      prompt_.format("\n```json\n").people(call.arguments).format("\n```").format(kToolCallEnd);
      if (!first) prompt_.format(kToolCallsEnd).format(kEnd);
    }
  }

  void tool_output(const std::string& content) {
    after_tool_ = true;
    prompt_.format(output_seen_ ? "\n" : kToolOutputsBegin);
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

Prompt render_v3(const std::vector<Message>& messages, const RenderOptions& options) {
  return V3Renderer(messages, options).render();
}

}  // namespace leyden::text
