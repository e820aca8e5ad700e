#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leyden::tools {

/// What stands between words.
inline constexpr std::string_view kSpace = " \t\n";

/// A line that is a command: "/system You are a pirate." has the name "/system" and the rest as its
/// argument, without the space around it.
struct CommandLine {
  std::string name, argument;
};

/// The command in `line`, or nullopt if it is a message: a command is a slash and letters, then the
/// end or white space. So "/usr/bin" is a message, and so is whatever has a space before its slash.
std::optional<CommandLine> parse_command(std::string_view line);

}  // namespace leyden::tools
