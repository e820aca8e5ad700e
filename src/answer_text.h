#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "src/generate.h"
#include "src/text/completion_parser.h"
#include "src/text/message.h"
#include "src/text/stop_strings.h"
#include "src/text/stream_decoder.h"

namespace leyden {

/// Turns an answer's tokens into text while they come: whole characters only; reasoning, content
/// and tool calls apart; nothing of what may become a stop string. No text is lost: what looks like
/// tool calls and isn't comes back as content.
class AnswerText {
 public:
  using Show = std::function<void(Channel, std::string_view)>;  // may be empty

  /// Borrows `tokenizer`.
  AnswerText(const text::Tokenizer& tokenizer, const GenerationOptions& options, Show show);

  void push(text::TokenId token);
  void finish();
  /// A stop string has come; what follows it is dropped.
  bool stopped() const { return stops_.stopped(); }

  const std::string& reasoning() const { return reasoning_; }
  const std::string& content() const { return content_; }
  const std::vector<text::ToolCall>& tool_calls() const { return tool_calls_; }

 private:
  void take(text::CompletionParser::Delta delta);
  void emit(Channel channel, const std::string& text);

  text::StreamDecoder decoder_;
  text::StopStrings stops_;
  text::CompletionParser parser_;
  bool skips_blank_;  // before the first content
  Show show_;
  std::string reasoning_, content_;
  std::vector<text::ToolCall> tool_calls_;
};

}  // namespace leyden
