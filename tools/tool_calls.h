#pragma once

#include <string>
#include <vector>

#include "formats/json.h"
#include "src/text/message.h"

namespace leyden::tools {

/// Tool calls as in OpenAI's interface, [{"id", "type", "function": {"name", "arguments"}}], where
/// the arguments are a string that holds JSON.
formats::Json tool_calls_json(std::vector<text::ToolCall> calls);

/// What a message says: its text, and on a line of its own its tool calls as JSON.
std::string said(const text::Message& message);

}  // namespace leyden::tools
