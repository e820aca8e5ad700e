#include "src/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

#include "formats/named.h"
#include "src/answer_text.h"
#include "src/engine.h"
#include "src/runtime/elapsed.h"

namespace leyden {
namespace {

using runtime::Clock, runtime::seconds_since;

constexpr std::array<formats::Named<Finish>, 4> kFinishes = {{
    {"stop", Finish::kStop},
    {"length", Finish::kLength},
    {"interrupt", Finish::kInterrupt},
    {"error", Finish::kError},
}};

/// As decode(), but without room or memory for the token the answer ends.
bool append(Session& session, text::TokenId token, Generation& out) {
  try {
    if (session.decode(token) == SessionStatus::kOk) return true;
    out.finish = Finish::kLength;
  } catch (const std::bad_alloc&) {
    out.finish = Finish::kError;
    out.error = "there is not enough memory for a conversation this long";
  } catch (const std::exception& error) {
    out.finish = Finish::kError;
    out.error = error.what();
  }
  return false;
}

}  // namespace

std::string_view name(Finish finish) { return formats::name_in(kFinishes, finish); }

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
  AnswerText text(session.engine().tokenizer(), options, events.on_text);
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
    if (!append(session, token, out)) break;
  }
  text.finish();
  out.content = text.content();
  out.reasoning = text.reasoning();
  out.tool_calls = text.tool_calls();
  out.decode_seconds = seconds_since(start);
  return out;
}

}  // namespace leyden
