#pragma once

#include <istream>
#include <string>

namespace leyden::tools {

/// As std::getline, for input of which nobody knows whether it has lines: false at the end.
/// Errors: LoadError naming `file` if it can't be read or a line is longer than a JSON document may
/// be.
bool read_line(std::istream& in, std::string& line, const std::string& file);

}  // namespace leyden::tools
