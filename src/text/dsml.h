#pragma once

#include <vector>

#include "formats/json.h"
#include "src/text/chat_render.h"
#include "src/text/message.h"

namespace leyden::text {

// DSML, the markup in which DeepSeek-V3.2 is offered tools and writes its calls.

/// The text that explains DSML and lists the functions of `tools` ([{"function": ...}]).
void write_dsml_tools(const formats::Json& tools, PromptWriter& prompt);

/// The block of an assistant's calls. Strings go in raw, other arguments as JSON.
/// Errors: formats::LoadError if a call's arguments aren't the text of a JSON object.
void write_dsml_calls(const std::vector<ToolCall>& calls, PromptWriter& prompt);

}  // namespace leyden::text
