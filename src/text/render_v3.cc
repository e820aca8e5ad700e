#include <string>
#include <string_view>

#include "src/text/chat_render.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using namespace marker;

/// What the templates of DeepSeek-V3 and R1 have in common, quirks included: prompts must equal
/// those the models were trained on and are served with.
class V3Frame {
 public:
  V3Frame(const std::vector<Message>& messages, const RenderOptions& options)
      : messages_(messages), options_(options) {}
  virtual ~V3Frame() = default;

  Prompt render() {
    if (options_.add_begin) prompt_.format(kBegin);
    write_system_messages(messages_, prompt_);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const Message& message = messages_[i];
      if (message.role == "user") {
        after_tool_ = false;
        prompt_.format(kUser).people(content_of(messages_, i));
      } else if (message.role == "assistant") {
        assistant(i);
        after_tool_ = false;
      } else if (message.role == "tool") {
        prompt_.format(output_seen_ ? between_outputs() : kToolOutputsBegin);
        prompt_.format(kToolOutputBegin).people(content_of(messages_, i)).format(kToolOutputEnd);
        after_tool_ = output_seen_ = true;
      }
    }
    if (after_tool_) {
      prompt_.format(kToolOutputsEnd);
    } else if (options_.add_generation_prompt) {
      open_answer();
    }
    return prompt_.take();
  }

 protected:
  virtual void assistant(std::size_t i) = 0;
  virtual std::string_view between_outputs() const = 0;
  virtual void open_answer() { prompt_.format(kAssistant); }

  void answer(std::string_view content) {
    prompt_.format(after_tool_ ? kToolOutputsEnd : kAssistant).people(content).format(kEnd);
  }

  void call(const ToolCall& call) {
    prompt_.format(kToolCallBegin).people(call.type).format(kToolSep).people(call.name);
    prompt_.format("\n```json\n").people(call.arguments).format("\n```").format(kToolCallEnd);
  }

  const std::vector<Message>& messages_;
  const RenderOptions& options_;
  PromptWriter prompt_;
  bool after_tool_ = false;  // no user or assistant message since the last tool result
  bool call_seen_ = false;   // in the whole conversation

 private:
  bool output_seen_ = false;  // in the whole conversation
};

/// chat_template of DeepSeek-V3.
class V3Renderer final : public V3Frame {
  using V3Frame::V3Frame;

  std::string_view between_outputs() const override { return "\n"; }

  void assistant(std::size_t i) override {
    const Message& message = messages_[i];
    if (message.content) return answer(*message.content);
    if (message.tool_calls) tool_calls(*message.tool_calls);
  }

  // Only calls after the first of the whole conversation are closed, each by itself.
  void tool_calls(const std::vector<ToolCall>& calls) {
    for (const ToolCall& one : calls) {
      const bool first = !call_seen_;
      call_seen_ = true;
      if (first) {
        prompt_.format(kAssistant).format(kToolCallsBegin);
      } else {
        prompt_.format("\n");
      }
      call(one);
      if (!first) prompt_.format(kToolCallsEnd).format(kEnd);
    }
  }
};

/// chat_template of DeepSeek-R1 as it is published now: calls may stand beside content, and the
/// answer begins with thoughts, which later prompts leave out.
class R1Renderer final : public V3Frame {
  using V3Frame::V3Frame;

  std::string_view between_outputs() const override { return ""; }

  void open_answer() override { prompt_.format(kAssistant).format(kThink).format("\n"); }

  // What is said after a tool's result stays whole.
  void assistant(std::size_t i) override {
    if (messages_[i].tool_calls) return tool_calls(messages_[i]);
    std::string_view content = content_of(messages_, i);
    const std::size_t end = after_tool_ ? content.npos : content.rfind(kEndThink);
    if (end != content.npos) content.remove_prefix(end + kEndThink.size());
    answer(content);
  }

  // Only the first call of the whole conversation opens its block, and brings its content.
  void tool_calls(const Message& message) {
    for (const ToolCall& one : *message.tool_calls) {
      if (call_seen_) {
        prompt_.format("\n");
      } else {
        prompt_.format(kAssistant).people(message.content.value_or("")).format(kToolCallsBegin);
      }
      call_seen_ = true;
      call(one);
    }
    prompt_.format(kToolCallsEnd).format(kEnd);
  }
};

}  // namespace

Prompt render_v3(const std::vector<Message>& messages, const RenderOptions& options) {
  return V3Renderer(messages, options).render();
}

Prompt render_r1(const std::vector<Message>& messages, const RenderOptions& options) {
  return R1Renderer(messages, options).render();
}

}  // namespace leyden::text
