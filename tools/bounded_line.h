#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace leyden::tools {

/// Bytes. No context holds as much, and it is memory for whoever sends it.
inline constexpr std::size_t kMostOfALine = std::size_t{64} << 20;

/// As std::getline, for input of which nobody knows whether it has lines: false at the end. A
/// stream that breaks throws from then on. Errors: LoadError naming `file` if it can't be read or a
/// line has more than kMostOfALine.
bool read_line(std::istream& in, std::string& line, const std::string& file);

}  // namespace leyden::tools
