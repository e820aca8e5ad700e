#pragma once

#include <string_view>

#include "src/text/chat_format.h"
#include "src/text/message.h"

namespace leyden::text {

/// A model's whole answer as a message, by the letter: with `thinking` the text begins inside the
/// reasoning, which must end; then content; then tool calls, if any; then the end marker, which may
/// only be missing after calls; then nothing. Markers anywhere else are errors.
/// For answers as they stream, and for those that aren't by the letter, see CompletionParser.
/// Errors: ChatError.
Message parse_completion(ChatFormat format, bool thinking, std::string_view text);

}  // namespace leyden::text
