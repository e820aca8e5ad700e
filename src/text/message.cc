#include "src/text/message.h"

#include <algorithm>
#include <utility>

namespace leyden::text {
namespace {

using formats::Json;
using formats::JsonField;

ToolCall tool_call_from_json(const JsonField& call) {
  const JsonField function = call.at("function");
  return {.id = call.string_or("id", ""),
          .type = call.string_or("type", "function"),
          .name = function.string("name"),
          .arguments = function.string("arguments")};
}

/// Here, where a complaint can still name the file.
Json checked_tools(const JsonField& tools) {
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const JsonField function = tools.element(i).at("function");
    for (const char* const key : {"name", "description"}) function.string_or(key, "");
  }
  return tools.value();
}

Message message_from_json(const JsonField& json) {
  Message message;
  message.role = json.string("role");
  if (const auto content = json.find("content")) message.content = content->as_string();
  message.reasoning_content = json.string_or("reasoning_content", "");
  if (const auto calls = json.find("tool_calls")) {
    message.tool_calls.emplace();
    for (std::size_t i = 0; i < calls->size(); ++i) {
      message.tool_calls->push_back(tool_call_from_json(calls->element(i)));
    }
  }
  if (const auto tools = json.find("tools")) message.tools = checked_tools(*tools);
  if (const auto schema = json.find("response_format")) message.response_format = schema->value();
  message.prefix = json.boolean_or("prefix", false);
  return message;
}

}  // namespace

std::vector<Message> messages_from_json(const JsonField& messages) {
  std::vector<Message> out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    out.push_back(message_from_json(messages.element(i)));
  }
  return out;
}

void check_roles(const JsonField& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const JsonField role = messages.element(i).at("role");
    const std::string& name = role.as_string();
    if (name != "system" && name != "user" && name != "assistant" && name != "tool" &&
        name != "developer") {
      role.refuse("\"system\", \"user\", \"assistant\", \"tool\" or \"developer\"");
    }
  }
}

Json assistant_json(const Message& message) {
  Json calls = Json::array();
  for (const ToolCall& call : message.tool_calls.value_or(std::vector<ToolCall>{})) {
    Json json = Json::object();
    if (!call.id.empty()) json["id"] = call.id;
    json["type"] = call.type;
    json["function"] = {{"name", call.name}, {"arguments", call.arguments}};
    calls.push_back(std::move(json));
  }
  return {{"role", "assistant"},
          {"content", message.content ? Json(*message.content) : Json()},
          {"reasoning_content", message.reasoning_content},
          {"tool_calls", std::move(calls)}};
}

void attach_tools(const JsonField& tools, std::vector<Message>& messages) {
  if (tools.size() == 0) return;
  auto system = std::find_if(messages.begin(), messages.end(),
                             [](const Message& message) { return message.role == "system"; });
  if (system == messages.end()) {
    Message empty;
    empty.role = "system";
    empty.content = "";
    system = messages.insert(messages.begin(), std::move(empty));
  }
  system->tools = checked_tools(tools);
}

}  // namespace leyden::text
