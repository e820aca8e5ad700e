#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace leyden::formats {

/// A value inside a JSON document that knows its place, so that every refusal names it:
///
///     JsonField config(document, "config.json");
///     config.integer("n_group", 1, 64)
///     -> LoadError: config.json: field 'n_group' is 0, expected an integer from 1 to 64
///
/// Borrows the document. A field that is null counts as absent. All getters throw LoadError.
class JsonField {
 public:
  static constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

  /// The document itself.
  JsonField(const Json& document, std::string origin);

  const Json& value() const { return *value_; }
  const std::string& origin() const { return *origin_; }
  /// Place in the document, "rope_scaling.factor" or "added_tokens[3].id"; empty for the root.
  const std::string& path() const { return path_; }

  // This value as the type it has to have.
  std::int64_t as_integer(std::int64_t low = 0, std::int64_t high = kNoLimit) const;
  double as_number() const;  // an integer is a number too
  bool as_bool() const;
  const std::string& as_string() const;

  // Members of this object: at() must be there, find() may be absent.
  JsonField at(std::string_view key) const;
  std::optional<JsonField> find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key).has_value(); }
  /// Calls `use` for every member in order. `name` lives as long as the document.
  void for_each_member(
      const std::function<void(const std::string& name, const JsonField& member)>& use) const;

  // Elements of this array.
  std::size_t size() const;
  JsonField element(std::size_t index) const;

  // Short forms of at(key).as_*() and, with a fallback for an absent field, of find(key).
  std::int64_t integer(std::string_view key, std::int64_t low = 0,
                       std::int64_t high = kNoLimit) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t low = 0,
                          std::int64_t high = kNoLimit) const;
  double number(std::string_view key) const;
  double number_or(std::string_view key, double fallback) const;
  bool boolean(std::string_view key) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  const std::string& string(std::string_view key) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;

  /// Throws "ORIGIN: field 'PATH' is VALUE, expected EXPECTED".
  [[noreturn]] void refuse(std::string_view expected) const;

 private:
  JsonField(const Json* value, std::shared_ptr<const std::string> origin, std::string path);
  JsonField member(const Json& value, std::string_view key) const;
  void expect_object() const;

  const Json* value_;
  std::shared_ptr<const std::string> origin_;
  std::string path_;
};

}  // namespace leyden::formats
