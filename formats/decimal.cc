#include "formats/decimal.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace leyden::formats {

double parse_decimal(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double shortest_decimal(float value) {
  return std::isfinite(value) ? parse_decimal(fmt::format("{}", value)) : value;
}

}  // namespace leyden::formats
