#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_text.h"
#include "formats/load_error.h"
#include "src/text/chat_render.h"
#include "src/text/dsml.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using formats::Json;
using namespace marker;

bool asks(const Message& message) { return message.role == "user" || message.role == "developer"; }

// Index of the last message that asks something, or -1.
std::ptrdiff_t last_question(const std::vector<Message>& messages) {
  const auto last = std::find_if(messages.rbegin(), messages.rend(), asks);
  return messages.rend() - last - 1;
}

// Python's truth: null, false, 0, "" and empty containers are false.
bool is_given(const Json& value) {
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  if (value.is_number()) return value.get<double>() != 0;
  if (value.is_boolean()) return value.get<bool>();
  return !value.empty();
}

// What is left of a conversation when the turns before the last question are remembered without
// their reasoning; earlier developer messages go altogether.
std::vector<Message> without_old_reasoning(const std::vector<Message>& messages) {
  const std::ptrdiff_t last = last_question(messages);
  std::vector<Message> kept;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool old = static_cast<std::ptrdiff_t>(i) < last;
    const std::string& role = messages[i].role;
    if (old && role != "user" && role != "system" && role != "tool" && role != "assistant")
      continue;
    kept.push_back(messages[i]);
    if (old && role == "assistant") kept.back().reasoning_content.clear();
  }
  return kept;
}

/// The message encoder published with DeepSeek-V3.2.
class V32Renderer {
 public:
  V32Renderer(const std::vector<Message>& messages, const RenderOptions& options)
      : messages_(messages), thinking_(options.thinking), last_(last_question(messages)) {
    if (options.add_begin) prompt_.format(kBegin);
  }

  Prompt render() {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const std::string& role = messages_[i].role;
      if (role == "system") {
        system(messages_[i]);
      } else if (role == "user") {
        prompt_.format(kUser).people(content_of(messages_, i));
        open_answer(static_cast<std::ptrdiff_t>(i) == last_);
      } else if (role == "developer") {
        developer(i);
      } else if (role == "assistant") {
        assistant(i);
      } else if (role == "tool") {
        tool_result(i);
      } else {
        refuse(messages_, i, "has a role that v3.2 doesn't know");
      }
    }
    return prompt_.take();
  }

 private:
  void open_answer(bool current) {
    prompt_.format(kAssistant).format(thinking_ && current ? kThink : kEndThink);
  }

  void tools_and_response_format(const Message& message) {
    if (is_given(message.tools)) {
      prompt_.format("\n\n");
      write_dsml_tools(message.tools, prompt_);
    }
    if (is_given(message.response_format)) {
      prompt_.format(
          "\n\n## Response Format:\n\n"
          "You MUST strictly adhere to the following schema to reply:\n");
      prompt_.people(formats::json_text(message.response_format));
    }
  }

  void system(const Message& message) {
    prompt_.people(message.content.value_or(""));
    tools_and_response_format(message);
  }

  void developer(std::size_t index) {
    const std::string& content = content_of(messages_, index);
    if (content.empty()) refuse(messages_, index, "has empty content");
    prompt_.format(kUser);
    tools_and_response_format(messages_[index]);
    prompt_.format("\n\n# The user's message is: ").people(content);
    open_answer(static_cast<std::ptrdiff_t>(index) == last_);
  }

  // The opening <think> of the reasoning stands at the end of the message before.
  void assistant(std::size_t index) {
    const Message& message = messages_[index];
    const bool has_calls = message.tool_calls && !message.tool_calls->empty();
    if (thinking_ && static_cast<std::ptrdiff_t>(index) > last_) {
      if (message.reasoning_content.empty() && !has_calls) {
        refuse(messages_, index, "has neither reasoning nor tool calls, although thinking is on");
      }
      prompt_.people(message.reasoning_content).format(kEndThink);
    }
    prompt_.people(message.content.value_or(""));
    if (has_calls) {
      prompt_.format("\n\n");
      try {
        write_dsml_calls(*message.tool_calls, prompt_);
      } catch (const formats::LoadError& error) {
        refuse(messages_, index, error.what());
      }
    }
    prompt_.format(kEnd);
  }

  // Results belong to the calls of the nearest assistant message above, in order.
  void tool_result(std::size_t index) {
    std::size_t caller = index;
    while (caller > 0 && messages_[caller].role == "tool") --caller;
    const std::size_t number = index - caller;  // counted from 1
    const bool has_caller = messages_[caller].role == "assistant" && messages_[caller].tool_calls;
    const std::size_t n_calls = has_caller ? messages_[caller].tool_calls->size() : 0;
    if (number == 0 || number > n_calls)
      refuse(messages_, index, "is a result without a tool call");
    if (number == 1) prompt_.format("\n\n<function_results>");
    prompt_.format("\n<result>").people(content_of(messages_, index)).format("</result>");
    if (number < n_calls) return;
    const bool current = static_cast<std::ptrdiff_t>(index) >= last_;
    prompt_.format("\n</function_results>\n\n").format(thinking_ && current ? kThink : kEndThink);
  }

  const std::vector<Message>& messages_;
  const bool thinking_;
  const std::ptrdiff_t last_;  // index of the last question; everything after belongs to its answer
  PromptWriter prompt_;
};

}  // namespace

Prompt render_v32(const std::vector<Message>& messages, const RenderOptions& options) {
  if (options.thinking && options.drop_thinking) {
    return V32Renderer(without_old_reasoning(messages), options).render();
  }
  return V32Renderer(messages, options).render();
}

}  // namespace leyden::text
