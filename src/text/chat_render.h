#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "src/text/chat_format.h"
#include "src/text/message.h"
#include "src/text/segment.h"

namespace leyden::text {

// The formats one by one; render() in chat_format.h is the door to them.
Prompt render_v2(const std::vector<Message>& messages, const RenderOptions& options);
Prompt render_v3(const std::vector<Message>& messages, const RenderOptions& options);
Prompt render_r1(const std::vector<Message>& messages, const RenderOptions& options);
Prompt render_v31(const std::vector<Message>& messages, const RenderOptions& options);
Prompt render_v32(const std::vector<Message>& messages, const RenderOptions& options);

/// Puts a prompt together from the format's words and the messages'.
class PromptWriter {
 public:
  PromptWriter& format(std::string_view text) { return append(Voice::kFormat, text); }
  PromptWriter& people(std::string_view text) { return append(Voice::kPeople, text); }
  Prompt take() { return std::move(prompt_); }

 private:
  PromptWriter& append(Voice voice, std::string_view text);
  Prompt prompt_;
};

/// V3, R1 and V3.1: the contents of all system messages, an empty line between them.
void write_system_messages(const std::vector<Message>& messages, PromptWriter& prompt);

/// A message's content where the format needs one. Errors: ChatError "message 3 (tool) ...".
const std::string& content_of(const std::vector<Message>& messages, std::size_t index);

/// Throws ChatError "message INDEX (ROLE) WHAT"; messages are counted from 0.
[[noreturn]] void refuse(const std::vector<Message>& messages, std::size_t index,
                         std::string_view what);

}  // namespace leyden::text
