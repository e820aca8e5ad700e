#include "src/chat.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/engine.h"
#include "src/text/chat_render.h"

namespace leyden {

ContextFull::ContextFull(std::size_t n_tokens, std::int32_t n_capacity)
    : std::runtime_error(fmt::format(
          "the conversation has {} tokens with the last message, but the context holds {}",
          n_tokens, n_capacity)),
      tokens(n_tokens),
      capacity(n_capacity) {}

namespace {

bool offers_tools(const std::vector<text::Message>& messages) {
  return std::ranges::any_of(messages, [](const text::Message& message) {
    return message.tools.is_array() && !message.tools.empty();
  });
}

/// Ids as in OpenAI's interface: they are the program's own, and no part of any prompt.
void number_calls(std::vector<text::ToolCall>& calls, const std::vector<text::Message>& before) {
  std::size_t n = 0;
  for (const text::Message& message : before) {
    if (message.tool_calls) n += message.tool_calls->size();
  }
  for (text::ToolCall& call : calls) call.id = fmt::format("call_{}", n++);
}

/// V3.2 opens the answer after the last result of a message's calls. What answers no call is for
/// render() to refuse.
void check_results_complete(const std::vector<text::Message>& messages) {
  std::size_t caller = messages.size() - 1;
  while (caller > 0 && messages[caller].role == "tool") --caller;
  const std::size_t n_results = messages.size() - 1 - caller;
  const std::size_t n_calls = messages[caller].tool_calls ? messages[caller].tool_calls->size() : 0;
  if (n_results >= n_calls) return;
  text::refuse(messages, messages.size() - 1,
               fmt::format("is the last one, but only result {} of {}", n_results, n_calls));
}

/// Refuses messages after which no format has an answer begin. The templates render them all the
/// same: an assistant's message, also one with `prefix`, is closed by the end token, and what the
/// model says then is somebody else's turn.
void check_answerable(text::ChatFormat format, const std::vector<text::Message>& messages) {
  const bool v32 = format == text::ChatFormat::kV32;
  std::size_t n = messages.size();
  // The others may have system messages, and a developer's, behind it: all but V2 move them to the
  // front.
  while (!v32 && n > 0 &&
         (messages[n - 1].role == "system" || messages[n - 1].role == "developer")) {
    --n;
  }
  if (n == 0) throw text::ChatError("there is no message that could be answered");
  const std::string& role = messages[n - 1].role;
  if (v32 && role == "tool") return check_results_complete(messages);
  if (role == "user" || role == "tool" || (v32 && role == "developer")) return;
  text::refuse(messages, n - 1, "is the last one, expected a user's or a tool's");
}

}  // namespace

Chat::Chat(std::shared_ptr<const Engine> engine)
    : engine_(std::move(engine)), format_(engine_->chat_format()), session_(engine_) {}

void Chat::say(std::string role, std::string content) {
  text::Message& message = messages.emplace_back();
  message.role = std::move(role);
  message.content = std::move(content);
}

/// Only V3.2 knows a developer's messages. The other templates drop them in silence; here they are
/// what they stand for in OpenAI's interface, the newer name of system messages.
text::Prompt Chat::rendered() const {
  const auto is_developer = [](const text::Message& message) {
    return message.role == "developer";
  };
  if (format_ == text::ChatFormat::kV32 || std::ranges::none_of(messages, is_developer)) {
    return text::render(format_, messages, render);
  }
  std::vector<text::Message> known = messages;
  for (text::Message& message : known) {
    if (is_developer(message)) message.role = "system";
  }
  return text::render(format_, known, render);
}

std::size_t Chat::n_known(std::span<const text::TokenId> prompt) const {
  return static_cast<std::size_t>(std::ranges::mismatch(prompt, session_.tokens()).in1 -
                                  prompt.begin());
}

/// The messages as the next answer goes on from them. V3.2 refuses a last answer without reasoning
/// while thinking is on; before another question it is rendered as without thinking.
std::vector<text::TokenId> Chat::rendered_as_past() const {
  try {
    return engine_->tokenizer().encode(rendered());
  } catch (const text::ChatError&) {
    if (!render.thinking) throw;
    text::RenderOptions without_thinking = render;
    without_thinking.thinking = false;
    return engine_->tokenizer().encode(text::render(format_, messages, without_thinking));
  }
}

void Chat::forget_what_is_gone() {
  session_.truncate(static_cast<std::int32_t>(n_known(rendered_as_past())));
}

Generation Chat::answer(text::Sampler& sampler, const GenerationOptions& options,
                        const GenerationEvents& events) {
  check_answerable(format_, messages);
  const text::Prompt words = rendered();
  const std::vector<text::TokenId> prompt = engine_->tokenizer().encode(words);
  if (prompt.size() > static_cast<std::size_t>(session_.capacity())) {
    throw ContextFull(prompt.size(), session_.capacity());
  }
  // Logits come from computing a token, so at least the last one is computed again.
  const std::size_t known = std::min(n_known(prompt), prompt.size() - 1);
  session_.truncate(static_cast<std::int32_t>(known));

  GenerationOptions settled = options;
  settled.starts_blank = format_ == text::ChatFormat::kV2;
  settled.starts_reasoning = text::opens_reasoning(words);
  if (offers_tools(messages)) settled.calls = format_;
  sampler.clear_history();
  for (const text::TokenId token : prompt) sampler.accept(token);
  const auto fresh = std::span(prompt).subspan(known);
  Generation result = generate(session_, fresh, sampler, settled, events);
  number_calls(result.tool_calls, messages);

  if (result.finish == Finish::kInterrupt && result.tokens.empty()) return result;
  text::Message& message = messages.emplace_back();
  message.role = "assistant";
  message.reasoning_content = result.reasoning;
  if (!result.tool_calls.empty()) message.tool_calls = result.tool_calls;
  // V3's template renders calls only where there is no content, not even an empty one.
  if (!message.tool_calls || !result.content.empty()) message.content = result.content;
  return result;
}

}  // namespace leyden
