#pragma once

#include <string_view>

namespace leyden::formats {

/// The number that a decimal such as "1.25e-3" names. std::strtod would ask the program's locale,
/// and many a locale's decimals have a comma.
double parse_decimal(std::string_view text);

/// The shortest decimal that reads back as the same float: 0.6, not 0.60000002384.
double shortest_decimal(float value);

}  // namespace leyden::formats
