#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tools/repl/repl.h"

namespace leyden::tools {

/// One command of the conversation: "/name", what may follow it, and what it does.
struct Command {
  std::string_view name, arguments, help;
  void (Repl::*run)(const std::string& argument);
};

/// All of them, in the order /help shows them.
std::span<const Command> all_commands();
/// What /help says: a line for each of them, and the keys; no line is wider than 79 columns.
std::string help_text();
/// The command of this name or short form ("/exit"), or null.
const Command* find_command(std::string_view name);

}  // namespace leyden::tools
