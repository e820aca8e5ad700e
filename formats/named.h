#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace leyden::formats {

/// A value of an enum and the word for it in files, options and tables. An enum with words has one
/// array of these, for writing and for reading.
template <typename Enum>
struct Named {
  std::string_view name;
  Enum value;
};

/// The word for `value`; "?" if the table has none.
template <typename Enum, std::size_t N>
constexpr std::string_view name_in(const std::array<Named<Enum>, N>& table, Enum value) {
  for (const Named<Enum>& row : table) {
    if (row.value == value) return row.name;
  }
  return "?";
}

/// The value that `name` stands for, if the table has it.
template <typename Enum, std::size_t N>
constexpr std::optional<Enum> value_named(const std::array<Named<Enum>, N>& table,
                                          std::string_view name) {
  for (const Named<Enum>& row : table) {
    if (row.name == name) return row.value;
  }
  return std::nullopt;
}

}  // namespace leyden::formats
