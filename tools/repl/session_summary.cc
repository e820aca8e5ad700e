#include "tools/repl/session_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "tools/terminal.h"
#include "tools/visible_text.h"

namespace leyden::tools {

std::string summary(const std::string& name, const Conversation& conversation) {
  const auto n_user = std::ranges::count(conversation.messages, "user", &text::Message::role);
  const auto first = std::ranges::find(conversation.messages, "user", &text::Message::role);
  const std::string head =
      fmt::format("{:20} {:3} message{}  ", name, n_user, n_user == 1 ? " " : "s");
  const std::string begin = first == conversation.messages.end() ? "" : first->content.value_or("");
  return head + excerpt(begin, std::max(10, terminal_columns() - columns_of(head) - 4));
}

std::string summary_of_file(const std::string& name, const std::filesystem::path& file) {
  try {
    return summary(name, read_conversation(file));
  } catch (const std::exception& error) {
    return fmt::format("{:20} damaged: {}", name, error.what());
  }
}

std::string last_exchange(const Conversation& conversation) {
  const auto& messages = conversation.messages;
  if (messages.size() < 2 || messages.back().role != "assistant") return "";
  const text::Message& question = messages[messages.size() - 2];
  return fmt::format("> {}\n{}", question.content.value_or(""),
                     messages.back().content.value_or(""));
}

}  // namespace leyden::tools
