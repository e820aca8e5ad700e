#include "formats/json_field.h"

#include <fmt/format.h>

#include <utility>

#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

// The value as an error message shows it: containers by size, the rest as JSON.
std::string shown(const Json& value) {
  if (value.is_object()) return fmt::format("an object with {} members", value.size());
  if (value.is_array()) return fmt::format("a list of {} elements", value.size());
  return excerpt(json_text(value), 60);
}

std::string integer_range(std::int64_t low, std::int64_t high) {
  if (high == JsonField::kNoLimit) return fmt::format("an integer of at least {}", low);
  return fmt::format("an integer from {} to {}", low, high);
}

}  // namespace

JsonField::JsonField(const Json& document, std::string origin)
    : JsonField(&document, std::make_shared<const std::string>(std::move(origin)), "") {}

JsonField::JsonField(const Json* value, std::shared_ptr<const std::string> origin, std::string path)
    : value_(value), origin_(std::move(origin)), path_(std::move(path)) {}

void JsonField::refuse(std::string_view expected) const {
  const std::string place = path_.empty() ? "the document" : fmt::format("field '{}'", path_);
  throw LoadError(*origin_, fmt::format("{} is {}, expected {}", place, shown(*value_), expected));
}

std::int64_t JsonField::as_integer(std::int64_t low, std::int64_t high) const {
  if (!value_->is_number_integer()) refuse(integer_range(low, high));
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(kNoLimit)) {
    refuse(integer_range(low, high));
  }
  const auto number = value_->get<std::int64_t>();
  if (number < low || number > high) refuse(integer_range(low, high));
  return number;
}

double JsonField::as_number() const {
  if (!value_->is_number()) refuse("a number");
  return value_->get<double>();
}

bool JsonField::as_bool() const {
  if (!value_->is_boolean()) refuse("true or false");
  return value_->get<bool>();
}

const std::string& JsonField::as_string() const {
  if (!value_->is_string()) refuse("a string");
  return value_->get_ref<const std::string&>();
}

void JsonField::expect_object() const {
  if (!value_->is_object()) refuse("an object");
}

JsonField JsonField::member(const Json& value, std::string_view key) const {
  std::string path = path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  return {&value, origin_, std::move(path)};
}

std::optional<JsonField> JsonField::find(std::string_view key) const {
  expect_object();
  for (const auto& [name, value] : value_->get_ref<const Json::object_t&>()) {
    if (name == key && !value.is_null()) return member(value, key);
  }
  return std::nullopt;
}

JsonField JsonField::at(std::string_view key) const {
  if (auto found = find(key)) return *std::move(found);
  throw LoadError(*origin_,
                  fmt::format("field '{}{}{}' is missing", path_, path_.empty() ? "" : ".", key));
}

void JsonField::for_each_member(
    const std::function<void(const std::string&, const JsonField&)>& use) const {
  expect_object();
  for (const auto& [name, value] : value_->get_ref<const Json::object_t&>()) {
    use(name, member(value, excerpt(name, 200)));
  }
}

std::size_t JsonField::size() const {
  if (!value_->is_array()) refuse("a list");
  return value_->size();
}

JsonField JsonField::element(std::size_t index) const {
  if (index >= size()) refuse(fmt::format("a list of at least {} elements", index + 1));
  return {&(*value_)[index], origin_, fmt::format("{}[{}]", path_, index)};
}

std::int64_t JsonField::integer(std::string_view key, std::int64_t low, std::int64_t high) const {
  return at(key).as_integer(low, high);
}

std::int64_t JsonField::integer_or(std::string_view key, std::int64_t fallback, std::int64_t low,
                                   std::int64_t high) const {
  const auto field = find(key);
  return field ? field->as_integer(low, high) : fallback;
}

double JsonField::number(std::string_view key) const { return at(key).as_number(); }

double JsonField::number_or(std::string_view key, double fallback) const {
  const auto field = find(key);
  return field ? field->as_number() : fallback;
}

bool JsonField::boolean(std::string_view key) const { return at(key).as_bool(); }

bool JsonField::boolean_or(std::string_view key, bool fallback) const {
  const auto field = find(key);
  return field ? field->as_bool() : fallback;
}

const std::string& JsonField::string(std::string_view key) const { return at(key).as_string(); }

std::string JsonField::string_or(std::string_view key, std::string_view fallback) const {
  const auto field = find(key);
  return field ? field->as_string() : std::string(fallback);
}

}  // namespace leyden::formats
