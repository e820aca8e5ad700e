#include "tools/repl/system_prompt.h"

#include <algorithm>

namespace leyden::tools {
namespace {

bool is_system(const text::Message& message) { return message.role == "system"; }

}  // namespace

std::string system_prompt(const std::vector<text::Message>& messages) {
  std::string prompt;
  for (const text::Message& message : messages) {
    if (!is_system(message) || message.content.value_or("").empty()) continue;
    if (!prompt.empty()) prompt += "\n\n";
    prompt += *message.content;
  }
  return prompt;
}

void set_system_prompt(const std::string& text, std::vector<text::Message>& messages) {
  if (text.empty()) {
    for (text::Message& message : messages) {
      if (is_system(message)) message.content = "";
    }
    std::erase_if(messages, [](const text::Message& message) {
      return is_system(message) && message.tools.is_null() && message.response_format.is_null();
    });
    return;
  }
  auto first = std::ranges::find_if(messages, is_system);
  if (first == messages.end()) {
    first = messages.emplace(messages.begin());
    first->role = "system";
  }
  first->content = text;
}

}  // namespace leyden::tools
