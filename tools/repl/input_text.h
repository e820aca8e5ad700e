#pragma once

#include <string>
#include <string_view>

namespace leyden::tools {

/// Whether Enter continues a text instead of sending it: it ends with a backslash that isn't
/// doubled, or a block of """ is open. A block begins at the start of a message, or of a command's
/// argument, and ends at the end of a line.
bool is_unfinished(std::string_view text);

/// Whether the reason is a backslash at the end.
bool ends_with_backslash(std::string_view text);

/// A finished text without its block's quotes.
std::string without_quotes(std::string_view text);

}  // namespace leyden::tools
