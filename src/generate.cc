#include "src/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>

#include "src/engine.h"
#include "src/text/stop_strings.h"
#include "src/text/stream_decoder.h"

namespace leyden {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Turns the answer's tokens into text: whole characters only, reasoning and content apart, nothing
/// of what may become a stop string.
class AnswerText {
 public:
  AnswerText(const text::Tokenizer& tokenizer, const GenerationOptions& options,
             const GenerationEvents& events, Generation& out)
      : tokenizer_(tokenizer),
        think_end_(tokenizer.added_token("</think>")),
        decoder_(tokenizer),
        stops_(options.stops),
        reasoning_(options.starts_reasoning),
        events_(events),
        out_(out) {}

  void push(text::TokenId token) {
    if (reasoning_ && think_end_ && token == *think_end_) {
      emit(decoder_.finish());
      reasoning_ = false;
      return;
    }
    pass_on(decoder_.push(token));
  }
  void finish() {
    pass_on(decoder_.finish());
    if (!reasoning_) emit(stops_.finish());
  }
  bool stopped() const { return stops_.stopped(); }

 private:
  void pass_on(const std::string& text) { emit(reasoning_ ? text : stops_.push(text)); }
  void emit(const std::string& text) {
    if (text.empty()) return;
    (reasoning_ ? out_.reasoning : out_.content) += text;
    if (events_.on_text) {
      events_.on_text(reasoning_ ? Channel::kReasoning : Channel::kContent, text);
    }
  }

  const text::Tokenizer& tokenizer_;
  std::optional<text::TokenId> think_end_;
  text::StreamDecoder decoder_;
  text::StopStrings stops_;
  bool reasoning_;
  const GenerationEvents& events_;
  Generation& out_;
};

}  // namespace

std::string_view name(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kInterrupt:
      return "interrupt";
  }
  return "?";
}

Generation generate(Session& session, std::span<const text::TokenId> prompt, text::Sampler& sampler,
                    const GenerationOptions& options, const GenerationEvents& events) {
  const auto interrupted = [&] { return events.interrupted && events.interrupted(); };
  const std::vector<text::TokenId>& ends = session.engine().stop_tokens();
  Generation out;
  out.prompt_tokens = static_cast<int>(prompt.size());

  Clock::time_point start = Clock::now();
  const SessionStatus prefilled = session.prefill(prompt, [&](int done, int total) {
    if (events.on_prefill) events.on_prefill(done, total);
    return !interrupted();
  });
  out.prefill_seconds = seconds_since(start);
  if (prefilled == SessionStatus::kContextFull) {
    throw std::runtime_error(
        fmt::format("the prompt of {} tokens doesn't fit: {} of {} tokens of context are taken",
                    prompt.size(), session.position(), session.capacity()));
  }
  if (prefilled == SessionStatus::kStopped) {
    out.finish = Finish::kInterrupt;
    return out;
  }

  start = Clock::now();
  AnswerText text(session.engine().tokenizer(), options, events, out);
  while (true) {
    const text::TokenId token = sampler.sample(session.logits());
    if (std::ranges::find(ends, token) != ends.end()) break;
    sampler.accept(token);
    out.tokens.push_back(token);
    text.push(token);
    if (text.stopped()) break;
    if (options.max_tokens > 0 && static_cast<int>(out.tokens.size()) >= options.max_tokens) {
      out.finish = Finish::kLength;
      break;
    }
    if (interrupted()) {
      out.finish = Finish::kInterrupt;
      break;
    }
    if (session.decode(token) == SessionStatus::kContextFull) {
      out.finish = Finish::kLength;
      break;
    }
  }
  text.finish();
  out.decode_seconds = seconds_since(start);
  return out;
}

}  // namespace leyden
