#include "tools/repl/session_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "tools/terminal.h"
#include "tools/tool_calls.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

std::string count_messages(const Conversation& conversation) {
  const auto n = std::ranges::count(conversation.messages, "user", &text::Message::role);
  return fmt::format("{} message{}", n, n == 1 ? "" : "s");
}

/// In at most so many columns, but 10 at least.
std::string beginning(const Conversation& conversation, int max_columns) {
  const auto first = std::ranges::find(conversation.messages, "user", &text::Message::role);
  if (first == conversation.messages.end()) return "";
  return excerpt(first->content.value_or(""), std::max(10, max_columns));
}

}  // namespace

std::string summary(const std::string& name, const Conversation& conversation) {
  const std::string head = fmt::format("[{}, {}: ", name, count_messages(conversation));
  return head + beginning(conversation, terminal_columns() - columns_of(head) - 2) + "]";
}

std::string list_row(const std::string& name, const std::filesystem::path& file) {
  try {
    const Conversation conversation = read_conversation(file);
    const std::string head = fmt::format("{:20} {:12}  ", name, count_messages(conversation));
    return head + beginning(conversation, terminal_columns() - columns_of(head) - 4);
  } catch (const std::exception& error) {
    return fmt::format("{:20} damaged: {}", name, error.what());
  }
}

std::string shown_message(const std::string& label, const text::Message& message,
                          const Printer& printer) {
  const std::string text = message.content.value_or("");
  return printer.wrapped(label, text) + said(message).substr(text.size());
}

std::string last_exchange(const Conversation& conversation, const Printer& printer) {
  const auto& messages = conversation.messages;
  if (messages.empty() || messages.back().role != "assistant") return "";
  // Tool calls and their results may stand between the two.
  const auto question = std::find_if(messages.rbegin(), messages.rend(),
                                     [](const text::Message& m) { return m.role == "user"; });
  if (question == messages.rend()) return "";
  return printer.wrapped("> ", question->content.value_or("")) + "\n" +
         shown_message("", messages.back(), printer);
}

}  // namespace leyden::tools
