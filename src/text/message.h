#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/json_field.h"

namespace leyden::text {

/// A conversation that the chosen format has no form for; the text names the message.
class ChatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct ToolCall {
  std::string id = {};  // not part of any prompt
  std::string type = "function";
  std::string name = {};
  std::string arguments = {};  // JSON text, kept letter by letter
};

/// One message of a conversation, with the fields of OpenAI's chat interface and DeepSeek's
/// `reasoning_content`.
struct Message {
  std::string role;                    // "system", "user", "assistant", "tool" or "developer"
  std::optional<std::string> content;  // null beside tool calls, as a rule
  std::string reasoning_content;       // of the assistant; empty: none
  /// V3.1 renders an empty list otherwise than none at all.
  std::optional<std::vector<ToolCall>> tool_calls;
  formats::Json tools;            // of system and developer: [{"type", "function"}], or null
  formats::Json response_format;  // of system and developer: a JSON schema, or null
  bool prefix = false;            // of the assistant (V3.1): the answer to be continued
};

/// A list of messages. Fields we don't know are passed over.
/// Errors: formats::LoadError naming the field, as "messages[3].tool_calls[0].function.name".
std::vector<Message> messages_from_json(const formats::JsonField& messages);

/// Refuses messages of roles that no chat format knows; the official templates pass over them.
/// Errors: formats::LoadError naming the field.
void check_roles(const formats::JsonField& messages);

/// An assistant's message as JSON: role, content, reasoning_content and tool_calls.
formats::Json assistant_json(const Message& message);

/// Attaches tools that came with the request to the first system message, as DeepSeek's own encoder
/// does; without one, an empty one is put in front. An empty list of tools changes nothing.
/// Errors: formats::LoadError if `tools` isn't a list of objects that have a `function`.
void attach_tools(const formats::JsonField& tools, std::vector<Message>& messages);

}  // namespace leyden::text
