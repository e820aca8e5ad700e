#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/text/call_block.h"
#include "src/text/chat_format.h"
#include "src/text/message.h"

namespace leyden::text {

/// Takes a model's answer apart while it streams: reasoning, content, tool calls.
///
/// Nothing is lost: text is passed on at once, except for what may still turn out to be a marker;
/// tool calls come when their block is complete, and a block that goes wrong comes back as content,
/// letter by letter, as does one of V3.2 whose arguments no prompt could repeat. Only the markers
/// themselves disappear: the end of reasoning, those around calls, and the end of the answer if
/// nothing follows it.
class CompletionParser {
 public:
  /// What a piece of the answer added.
  struct Delta {
    std::string reasoning;
    std::string content;
    std::vector<ToolCall> tool_calls;
  };

  /// format: whose tool calls are looked for; without one they are content.
  /// thinking: the prompt has opened the reasoning, so the answer begins inside it.
  CompletionParser(std::optional<ChatFormat> format, bool thinking);

  Delta push(std::string_view text);
  /// The answer has ended, by itself or not.
  Delta finish();

  /// All deltas so far as one message.
  const Message& message() const { return message_; }

 private:
  enum class State { kReasoning, kContent, kCalls, kEnded };

  void read(Delta& delta);
  bool step(Delta& delta);
  bool read_text(Delta& delta);
  bool read_calls(Delta& delta);
  void emit(std::string_view text, Delta& delta) const;
  std::string_view unread() const { return std::string_view(held_).substr(n_read_); }
  void collect(const Delta& delta);

  std::optional<ChatFormat> format_;
  CallMarkers calls_ = {};  // empty without a format
  State state_;
  std::string held_;        // not yet passed on; in kCalls the block after its begin marker
  std::size_t n_read_ = 0;  // bytes at the front of held_ that a running read() has done with
  Message message_;
};

}  // namespace leyden::text
