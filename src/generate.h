#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/session.h"
#include "src/text/chat_format.h"
#include "src/text/message.h"
#include "src/text/sampler.h"

namespace leyden {

/// Why an answer ended.
enum class Finish {
  kStop,       // the model ended it, or a stop string did
  kLength,     // max_tokens, or the context is full
  kInterrupt,  // the caller wanted no more
  kError,      // the next token couldn't be computed: Generation::error says why
};
/// "stop", "length", "interrupt", "error".
std::string_view name(Finish finish);

/// Which part of an answer a piece of text belongs to.
enum class Channel { kReasoning, kContent };

struct GenerationOptions {
  int max_tokens = 0;              // 0: as many as the context holds
  std::vector<std::string> stops;  // strings that end the content
  bool starts_reasoning = false;   // the prompt opened a <think>
  bool starts_blank = false;       // one blank before the content is the format's (V2)
  /// Take tool calls of this format out of the content; unset: they are content.
  std::optional<text::ChatFormat> calls = {};
};

/// What a caller may want to know while an answer grows. Any of them may be empty.
struct GenerationEvents {
  std::function<void(Channel, std::string_view)> on_text;  // whole characters, as soon as they are
  std::function<bool()> interrupted;  // asked between tokens, and layers of a prompt
  std::function<void(int done, int total)> on_prefill;
};

struct Generation {
  std::vector<text::TokenId> tokens;  // without the end token
  std::string content, reasoning;
  std::vector<text::ToolCall> tool_calls;
  Finish finish = Finish::kStop;
  std::string error;      // of kError: a sentence, as the exception's
  int prompt_tokens = 0;  // computed now; those found in the session's context not counted
  double prefill_seconds = 0, decode_seconds = 0;
};

/// Appends `prompt` (at least one token) to the session and lets the model answer. Afterwards the
/// session holds the prompt and every token of the answer but, possibly, the last.
/// Errors: std::runtime_error if the prompt doesn't fit the context, and those of Session::prefill
/// for the prompt. One in the middle of the answer ends it (Finish::kError); what is there, stays.
Generation generate(Session& session, std::span<const text::TokenId> prompt, text::Sampler& sampler,
                    const GenerationOptions& options, const GenerationEvents& events);

}  // namespace leyden
