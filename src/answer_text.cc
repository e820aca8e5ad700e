#include "src/answer_text.h"

#include <iterator>
#include <utility>

namespace leyden {

AnswerText::AnswerText(const text::Tokenizer& tokenizer, const GenerationOptions& options,
                       Show show)
    : decoder_(tokenizer),
      stops_(options.stops),
      parser_(options.calls, options.starts_reasoning),
      skips_blank_(options.starts_blank),
      show_(std::move(show)) {}

void AnswerText::push(text::TokenId token) { take(parser_.push(decoder_.push(token))); }

void AnswerText::finish() {
  take(parser_.push(decoder_.finish()));
  take(parser_.finish());
  emit(Channel::kContent, stops_.finish());
}

void AnswerText::take(text::CompletionParser::Delta delta) {
  emit(Channel::kReasoning, delta.reasoning);
  if (skips_blank_ && !delta.content.empty()) {
    skips_blank_ = false;
    if (delta.content.starts_with(' ')) delta.content.erase(0, 1);
  }
  emit(Channel::kContent, stops_.push(delta.content));
  std::move(delta.tool_calls.begin(), delta.tool_calls.end(), std::back_inserter(tool_calls_));
}

void AnswerText::emit(Channel channel, const std::string& text) {
  if (text.empty()) return;
  (channel == Channel::kReasoning ? reasoning_ : content_) += text;
  if (show_) show_(channel, text);
}

}  // namespace leyden
