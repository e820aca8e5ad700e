#include <string>
#include <string_view>

#include "formats/json_text.h"
#include "src/text/chat_render.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using namespace marker;

constexpr std::string_view kToolRules =
    "IMPORTANT: ALWAYS adhere to this exact format for tool use:\n"
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments"
    "<｜tool▁call▁end｜>{additional_tool_calls}<｜tool▁calls▁end｜>\n\n"
    "Where:\n"
    "- `tool_call_name` must be an exact match to one of the available tools\n"
    "- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters "
    "Schema\n"
    "- For multiple tool calls, chain them directly without separators or spaces\n";

/// chat_template of DeepSeek-V3.1-Terminus, and the model card's block that offers tools.
class V31Renderer {
 public:
  V31Renderer(const std::vector<Message>& messages, const RenderOptions& options)
      : messages_(messages), options_(options) {}

  Prompt render() {
    if (options_.add_begin) prompt_.format(kBegin);
    write_system_messages(messages_, prompt_);
    for (const Message& message : messages_) {
      if (message.role == "system" && message.tools.is_array()) offer(message.tools);
    }
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const Message& message = messages_[i];
      if (message.role == "user") {
        previous_ = Previous::kUser;
        prompt_.format(kUser).people(content_of(messages_, i));
      } else if (message.role == "assistant") {
        message.tool_calls ? tool_calls(message) : answer(message, content_of(messages_, i));
        previous_ = Previous::kOther;
      } else if (message.role == "tool") {
        previous_ = Previous::kTool;
        prompt_.format(kToolOutputBegin).people(content_of(messages_, i)).format(kToolOutputEnd);
      }
    }
    if (options_.add_generation_prompt && previous_ == Previous::kUser) open(options_.thinking);
    return prompt_.take();
  }

 private:
  enum class Previous { kOther, kUser, kTool };

  void open(bool thinking) { prompt_.format(kAssistant).format(thinking ? kThink : kEndThink); }

  // Reasoning is never replayed: what stands before the end of thinking is cut off, except in an
  // answer that goes on after tool results.
  void answer(const Message& message, std::string_view content) {
    if (previous_ == Previous::kUser) open(message.prefix && options_.thinking);
    if (previous_ != Previous::kTool) {
      if (const auto end = content.find(kEndThink); end != std::string_view::npos) {
        content.remove_prefix(end + kEndThink.size());
      }
    }
    prompt_.people(content).format(kEnd);
  }

  void tool_calls(const Message& message) {
    if (previous_ == Previous::kUser) open(false);
    if (!message.tool_calls->empty()) {
      prompt_.people(message.content.value_or("")).format(kToolCallsBegin);
    }
    for (const ToolCall& call : *message.tool_calls) {
      prompt_.format(kToolCallBegin).people(call.name).format(kToolSep);
      prompt_.people(call.arguments).format(kToolCallEnd);
    }
    prompt_.format(kToolCallsEnd).format(kEnd);
  }

  void offer(const formats::Json& tools) {
    prompt_.format("\n\n## Tools\nYou have access to the following tools:\n\n");
    for (const formats::Json& tool : tools) {
      const formats::JsonField function = formats::JsonField(tool, "tools").at("function");
      const auto parameters = function.find("parameters");
      prompt_.format("### ").people(function.string("name"));
      prompt_.format("\nDescription: ").people(function.string_or("description", ""));
      prompt_.format("\n\nParameters: ");
      prompt_.people(parameters ? formats::json_text(parameters->value()) : "{}").format("\n\n");
    }
    prompt_.format(kToolRules);
  }

  const std::vector<Message>& messages_;
  const RenderOptions& options_;
  PromptWriter prompt_;
  Previous previous_ = Previous::kOther;  // what the last message was
};

}  // namespace

Prompt render_v31(const std::vector<Message>& messages, const RenderOptions& options) {
  return V31Renderer(messages, options).render();
}

}  // namespace leyden::text
