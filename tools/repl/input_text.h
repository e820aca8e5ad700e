#pragma once

#include <string>
#include <string_view>

namespace leyden::tools {

/// Why Enter continues a text instead of sending it.
enum class Unfinished {
  kNo,         // it is finished
  kBackslash,  // it ends with a backslash that isn't doubled, and which isn't part of it
  kBlock,      // a block of """ is open, in which a backslash is a backslash
};
/// A block begins at the start of a message, or of a command's argument, and ends at the end of a
/// line.
Unfinished unfinished(std::string_view text);

/// A finished text without its block's quotes.
std::string without_quotes(std::string_view text);

}  // namespace leyden::tools
