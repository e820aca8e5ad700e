#pragma once

#include <limits>
#include <string>
#include <string_view>

namespace leyden::tools {

/// `text` (UTF-8) in a form that can do nothing to a terminal: control characters (C0 but newline
/// and tab, DEL, C1) become the pictures Unicode has for them, as U+241B for escape, or U+FFFD;
/// bytes that aren't UTF-8 become U+FFFD; of CR LF only the LF is left.
std::string visible(std::string_view text);

/// The first line of `text`, made visible and cut with an ellipsis to `max_columns` columns.
std::string excerpt(std::string_view text, int max_columns = std::numeric_limits<int>::max());

/// Columns a terminal needs for one line of text without control characters, by wcwidth().
int columns_of(std::string_view text);

}  // namespace leyden::tools
