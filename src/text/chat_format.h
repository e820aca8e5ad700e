#pragma once

#include <string_view>
#include <vector>

#include "src/text/message.h"
#include "src/text/segment.h"
#include "src/text/tokenizer.h"

namespace leyden::text {

/// How a conversation becomes a prompt. Specified in docs/chat-formats.md.
enum class ChatFormat {
  kV2,   // DeepSeek-V2, V2-Lite: no markers but the end token, no tools, no thinking
  kV3,   // DeepSeek-V3, V3-0324: no thinking
  kR1,   // DeepSeek-R1: V3's frame, always thinking
  kV31,  // DeepSeek-V3.1, V3.1-Terminus, V3.2-Exp, leyden's demo model
  kV32,  // DeepSeek-V3.2: thinking within tool use, tool calls in DSML
};

struct RenderOptions {
  bool thinking = false;              // V3.1, V3.2; R1 always thinks, V2 and V3 never
  bool add_begin = true;              // false: the prompt continues a context
  bool add_generation_prompt = true;  // not V3.2: user messages always open the answer
  bool drop_thinking = true;          // V3.2: forget the reasoning of earlier turns
};

/// The prompt for `messages`, equal byte for byte to that of the official template or encoder.
/// Whatever the messages say is marked as people's text, so that it can't become control tokens.
/// Errors: ChatError.
Prompt render(ChatFormat format, const std::vector<Message>& messages,
              const RenderOptions& options = {});

/// The format a checkpoint was trained with, by what tells the family apart:
///  - V3.2 is a "deepseek_v32" that comes without a Jinja template, or has DSML among its tokens;
///  - V2 has no token for users' turns;
///  - V3.1 has thinking tokens, and V3.2-Exp's model type or the search tokens;
///  - R1 has thinking tokens alone.
/// Any other gets V3's frame.
ChatFormat choose_chat_format(const Tokenizer& tokenizer, std::string_view model_type,
                              bool has_chat_template);

/// Whether the models of a format think before they answer.
enum class Thinking { kNever, kByChoice, kAlways };
Thinking thinking_of(ChatFormat format);

/// Refuses what the models of a format can't do: to think, or not to.
/// Errors: ChatError, which speaks of "this model".
void check_thinking(ChatFormat format, bool thinking);

/// Whether the answer to `prompt` begins inside the reasoning, as its last words open it. Thinking
/// alone doesn't tell: V3.1 and R1 go on after a tool's result without.
bool opens_reasoning(const Prompt& prompt);

/// "v2", "v3", "r1", "v3.1", "v3.2". parse_chat_format throws ChatError for any other name.
std::string_view name(ChatFormat format);
ChatFormat parse_chat_format(std::string_view name);

}  // namespace leyden::text
