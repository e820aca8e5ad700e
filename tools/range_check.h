#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <string>

namespace leyden::tools {

/// Validators whose complaint a person can read: CLI11's own print numbers with 300 digits.
inline CLI::Validator in_range(double least, double most, const std::string& expected) {
  return {[least, most, expected](std::string& text) -> std::string {
            double value = 0;
            // What isn't a number is CLI11's to say.
            if (!CLI::detail::lexical_cast(text, value)) return "";
            if (value >= least && value <= most) return "";
            return fmt::format("{} is out of range, expected {}", text, expected);
          },
          ""};
}

/// For numbers of things.
inline CLI::Validator at_least(int least) {
  return in_range(least, std::numeric_limits<double>::infinity(),
                  fmt::format("at least {}", least));
}
inline CLI::Validator between(int least, int most) {
  return in_range(least, most, fmt::format("{} to {}", least, most));
}

}  // namespace leyden::tools
