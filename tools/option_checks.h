#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

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

/// For names of files and folders: an empty one is a variable that wasn't set.
inline CLI::Validator a_path() {
  return {[](std::string& text) -> std::string { return text.empty() ? "expected a path" : ""; },
          ""};
}

/// Makes the option take one of these words, and --help show them.
inline CLI::Option* take_one_of(CLI::Option* option, const std::vector<std::string>& words) {
  const std::string all = fmt::format("{}", fmt::join(words, "|"));
  const auto check = [words, all](const std::string& word) -> std::string {
    if (std::find(words.begin(), words.end(), word) != words.end()) return "";
    return fmt::format("'{}' is not one of {}", word, all);
  };
  return option->type_name(all)->check(check);
}

}  // namespace leyden::tools
