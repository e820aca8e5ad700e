#include "tools/repl/command_line.h"

#include <algorithm>
#include <cstddef>

namespace leyden::tools {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ?";

}  // namespace

std::optional<CommandLine> parse_command(std::string_view line) {
  if (!line.starts_with('/')) return std::nullopt;
  const std::size_t end = std::min(line.size(), line.find_first_not_of(kLetters, 1));
  if (end == 1) return std::nullopt;
  if (end < line.size() && kSpace.find(line[end]) == std::string_view::npos) return std::nullopt;
  CommandLine command{std::string(line.substr(0, end)), ""};
  const std::size_t start = line.find_first_not_of(kSpace, end);
  if (start != std::string_view::npos) {
    command.argument = line.substr(start, line.find_last_not_of(kSpace) + 1 - start);
  }
  return command;
}

}  // namespace leyden::tools
