#include "formats/gguf_keys.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "formats/decimal.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

std::string key_named(std::string_view key) { return fmt::format("key '{}'", excerpt(key, 100)); }

bool read_bool(GgufCursor& cursor, const std::string& what) {
  const auto byte = cursor.read_number<std::uint8_t>(what);
  if (byte > 1) cursor.refuse(what, fmt::format("is {}, expected a bool of 0 or 1", byte));
  return byte == 1;
}

/// Steps over an array, checking its strings' lengths on the way.
GgufArray read_array(GgufCursor& cursor, const std::string& what) {
  GgufArray array;
  array.element = GgufKind{cursor.read_u32(what)};
  if (least_bytes(array.element) == 0 || array.element == GgufKind::kArray) {
    cursor.refuse(what,
                  fmt::format("has elements of kind {} ({}), expected numbers or strings",
                              static_cast<std::uint32_t>(array.element), name(array.element)));
  }
  array.count = cursor.read_count(least_bytes(array.element), what);
  array.offset = cursor.offset();
  if (array.element != GgufKind::kString) {
    cursor.skip(array.count * least_bytes(array.element), what);
  } else {
    for (std::uint64_t i = 0; i < array.count; ++i) cursor.skip(cursor.read_count(1, what), what);
  }
  return array;
}

GgufValue read_value(GgufCursor& cursor, const std::string& what) {
  const GgufKind kind{cursor.read_u32(what)};
  const auto integer = [&]<typename Number>(Number) -> GgufValue {
    const auto value = cursor.read_number<Number>(what);
    if constexpr (std::is_signed_v<Number>) return {kind, std::int64_t{value}};
    return {kind, static_cast<std::uint64_t>(value)};
  };
  switch (kind) {
    case GgufKind::kU8:
      return integer(std::uint8_t{});
    case GgufKind::kI8:
      return integer(std::int8_t{});
    case GgufKind::kU16:
      return integer(std::uint16_t{});
    case GgufKind::kI16:
      return integer(std::int16_t{});
    case GgufKind::kU32:
      return integer(std::uint32_t{});
    case GgufKind::kI32:
      return integer(std::int32_t{});
    case GgufKind::kU64:
      return integer(std::uint64_t{});
    case GgufKind::kI64:
      return integer(std::int64_t{});
    case GgufKind::kF32:
      return {kind, shortest_decimal(cursor.read_number<float>(what))};
    case GgufKind::kF64:
      return {kind, cursor.read_number<double>(what)};
    case GgufKind::kBool:
      return {kind, read_bool(cursor, what)};
    case GgufKind::kString:
      return {kind, cursor.read_string(what)};
    case GgufKind::kArray:
      return {kind, read_array(cursor, what)};
  }
  cursor.refuse(what, fmt::format("has the unknown kind {}", static_cast<std::uint32_t>(kind)));
}

/// The value as an integer, if it is one and fits.
std::optional<std::int64_t> as_integer(const GgufValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value.value)) return *number;
  const auto* number = std::get_if<std::uint64_t>(&value.value);
  if (number == nullptr || *number > std::uint64_t{INT64_MAX}) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

std::string shown(const GgufValue& value) {
  if (const auto number = as_integer(value)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&value.value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    return fmt::format("'{}'", excerpt(*text, 60));
  }
  return fmt::format("of kind {}", name(value.kind));
}

}  // namespace

GgufKeys::GgufKeys(const InputFile& file, GgufCursor& cursor, std::uint64_t count) : file_(&file) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = cursor.read_string(fmt::format("the name of key {}", i));
    const std::string what = key_named(key);
    if (key.empty()) cursor.refuse(what, "has an empty name");
    if (values_.contains(key)) cursor.refuse(what, "comes twice");
    GgufValue value = read_value(cursor, what);
    values_.emplace(std::move(key), std::move(value));
  }
}

void GgufKeys::refuse(std::string_view key, const std::string& problem) const {
  throw LoadError(file_->name(), fmt::format("{} {}", key_named(key), problem));
}

const GgufValue* GgufKeys::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

const GgufValue& GgufKeys::require(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) refuse(key, "is missing");
  return *value;
}

std::optional<GgufKind> GgufKeys::kind(std::string_view key) const {
  const GgufValue* value = find(key);
  return value == nullptr ? std::nullopt : std::optional(value->kind);
}

std::int64_t GgufKeys::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
  const GgufValue& value = require(key);
  const auto number = as_integer(value);
  if (number && *number >= min && *number <= max) return *number;
  refuse(key, fmt::format("is {}, expected an integer from {} to {}", shown(value), min, max));
}

std::int64_t GgufKeys::integer_or(std::string_view key, std::int64_t if_absent, std::int64_t min,
                                  std::int64_t max) const {
  return has(key) ? integer(key, min, max) : if_absent;
}

double GgufKeys::number(std::string_view key) const {
  const GgufValue& value = require(key);
  const auto* number = std::get_if<double>(&value.value);
  if (number != nullptr && std::isfinite(*number)) return *number;
  refuse(key, fmt::format("is {}, expected a finite f32", shown(value)));
}

double GgufKeys::number_or(std::string_view key, double if_absent) const {
  return has(key) ? number(key) : if_absent;
}

bool GgufKeys::boolean_or(std::string_view key, bool if_absent) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return if_absent;
  const bool* flag = std::get_if<bool>(&value->value);
  if (flag == nullptr) refuse(key, fmt::format("is {}, expected a bool", shown(*value)));
  return *flag;
}

std::string GgufKeys::string(std::string_view key) const {
  const GgufValue& value = require(key);
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) refuse(key, fmt::format("is {}, expected a string", shown(value)));
  return *text;
}

const GgufArray& GgufKeys::array(std::string_view key, GgufKind element) const {
  const GgufValue& value = require(key);
  const auto* array = std::get_if<GgufArray>(&value.value);
  if (array == nullptr) refuse(key, fmt::format("is {}, expected an array", shown(value)));
  if (array->element == element) return *array;
  refuse(key,
         fmt::format("is an array of {}, expected one of {}", name(array->element), name(element)));
}

std::uint64_t GgufKeys::length(std::string_view key, GgufKind element) const {
  return array(key, element).count;
}

std::vector<std::string> GgufKeys::strings(std::string_view key) const {
  const GgufArray& elements = array(key, GgufKind::kString);
  GgufCursor cursor(*file_, elements.offset);
  std::vector<std::string> strings;
  strings.reserve(elements.count);
  for (std::uint64_t i = 0; i < elements.count; ++i) {
    strings.push_back(cursor.read_string(key_named(key)));
  }
  return strings;
}

std::vector<std::int32_t> GgufKeys::integers(std::string_view key) const {
  const GgufArray& elements = array(key, GgufKind::kI32);
  std::vector<std::int32_t> integers(elements.count);
  file_->read_exact(elements.offset, std::as_writable_bytes(std::span(integers)));
  return integers;
}

}  // namespace leyden::formats
