#include "src/answer_text.h"

#include <iterator>
#include <utility>

#include "src/text/markers.h"

namespace leyden {

AnswerText::AnswerText(const text::Tokenizer& tokenizer, const GenerationOptions& options,
                       Show show)
    : think_end_(tokenizer.added_token(text::marker::kEndThink)),
      decoder_(tokenizer),
      stops_(options.stops),
      in_reasoning_(options.starts_reasoning),
      show_(std::move(show)) {
  if (options.calls) parser_.emplace(*options.calls, options.starts_reasoning);
}

void AnswerText::push(text::TokenId token) {
  if (parser_) return take(parser_->push(decoder_.push(token)));
  if (in_reasoning_ && think_end_ && token == *think_end_) {
    pass_on(decoder_.finish());
    in_reasoning_ = false;
    return;
  }
  pass_on(decoder_.push(token));
}

void AnswerText::finish() {
  if (parser_) {
    take(parser_->push(decoder_.finish()));
    take(parser_->finish());
  } else {
    pass_on(decoder_.finish());
  }
  emit(Channel::kContent, stops_.finish());
}

void AnswerText::pass_on(const std::string& text) {
  if (in_reasoning_) return emit(Channel::kReasoning, text);
  emit(Channel::kContent, stops_.push(text));
}

void AnswerText::take(text::CompletionParser::Delta delta) {
  emit(Channel::kReasoning, delta.reasoning);
  emit(Channel::kContent, stops_.push(delta.content));
  std::move(delta.tool_calls.begin(), delta.tool_calls.end(), std::back_inserter(tool_calls_));
}

void AnswerText::emit(Channel channel, const std::string& text) {
  if (text.empty()) return;
  (channel == Channel::kReasoning ? reasoning_ : content_) += text;
  if (show_) show_(channel, text);
}

}  // namespace leyden
