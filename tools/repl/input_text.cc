#include "tools/repl/input_text.h"

#include <cstddef>

#include "tools/repl/command_line.h"

namespace leyden::tools {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";

/// Where the message or the command's argument begins.
std::size_t body_start(std::string_view text) {
  std::size_t start = 0;
  if (const auto command = parse_command(text))
    start = text.find(command->name) + command->name.size();
  start = text.find_first_not_of(kSpace, start);
  return start == std::string_view::npos ? text.size() : start;
}

std::string_view trimmed_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

bool closes(std::string_view block) {
  return block.size() >= 2 * kQuotes.size() && block.ends_with(kQuotes);
}

bool ends_with_backslash(std::string_view text) {
  const std::size_t last = text.find_last_not_of('\\');
  const std::size_t count = last == std::string_view::npos ? text.size() : text.size() - last - 1;
  return count % 2 == 1;
}

}  // namespace

Unfinished unfinished(std::string_view text) {
  const std::string_view body = trimmed_end(text.substr(body_start(text)));
  if (body.starts_with(kQuotes)) return closes(body) ? Unfinished::kNo : Unfinished::kBlock;
  return ends_with_backslash(text) ? Unfinished::kBackslash : Unfinished::kNo;
}

std::string without_quotes(std::string_view text) {
  const std::size_t start = body_start(text);
  std::string_view body = trimmed_end(text.substr(start));
  if (!body.starts_with(kQuotes) || !closes(body)) return std::string(text);
  body.remove_prefix(kQuotes.size());
  body.remove_suffix(kQuotes.size());
  if (body.starts_with('\n')) body.remove_prefix(1);
  if (body.ends_with('\n')) body.remove_suffix(1);
  return std::string(text.substr(0, start)) + std::string(body);
}

}  // namespace leyden::tools
