#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace leyden::formats {

/// `value` as JSON on one line, in the letters of Python's json.dumps(value, ensure_ascii=False):
/// ", " and ": " between things, keys in their order, UTF-8 unescaped, integers of any size exact,
/// floats as Python's repr. Numbers that aren't finite become null.
std::string json_text(const Json& value);

/// The same with every member and element on a line of its own, indented by a space per level.
std::string json_lines_text(const Json& value);

/// `text` between quotes, with JSON's escapes. `text` must be UTF-8 and is otherwise copied as is.
std::string json_quote(std::string_view text);

/// A double as Python's repr writes it: the fewest digits that read back as the same number, an
/// exponent below 1e-4 and from 1e16 on, and ".0" where a decimal point would be missing.
std::string float_text(double value);

/// `text` for an error message: control characters and broken UTF-8 shown as '?', and at most
/// about `max_bytes` of it, "..." marking the cut.
std::string excerpt(std::string_view text, std::size_t max_bytes);

}  // namespace leyden::formats
