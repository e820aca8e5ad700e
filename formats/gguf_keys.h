#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/gguf_cursor.h"
#include "formats/input_file.h"

namespace leyden::formats {

/// An array among the keys of a GGUF file; its elements stay in the file until asked for.
struct GgufArray {
  GgufKind element = GgufKind::kU8;
  std::uint64_t count = 0;
  std::uint64_t offset = 0;  // of the first element
};

/// The value of a key. A float is the shortest decimal that reads back as the f32 of the file, so
/// that 1e-6 stays 1e-6.
struct GgufValue {
  GgufKind kind = GgufKind::kU8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray> value;
};

/// The keys of a GGUF file, read with kinds and ranges checked.
/// Errors: LoadError "FILE: key 'NAME' ..." from every reader.
class GgufKeys {
 public:
  /// Reads `count` keys. Borrows `file`.
  GgufKeys(const InputFile& file, GgufCursor& cursor, std::uint64_t count);

  bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Any integer kind that holds a value in the range will do.
  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  std::int64_t integer_or(std::string_view key, std::int64_t if_absent, std::int64_t min,
                          std::int64_t max) const;
  double number(std::string_view key) const;
  double number_or(std::string_view key, double if_absent) const;
  bool boolean_or(std::string_view key, bool if_absent) const;
  std::string string(std::string_view key) const;

  /// Number of elements of an array, which must be of that kind.
  std::uint64_t length(std::string_view key, GgufKind element) const;
  /// Elements of an array of strings, or of i32.
  std::vector<std::string> strings(std::string_view key) const;
  std::vector<std::int32_t> integers(std::string_view key) const;

  /// The kind of a key's value, if the key is there.
  std::optional<GgufKind> kind(std::string_view key) const;

  /// Throws LoadError "FILE: key 'KEY' PROBLEM".
  [[noreturn]] void refuse(std::string_view key, const std::string& problem) const;

  const std::string& file_name() const { return file_->name(); }

 private:
  const GgufValue* find(std::string_view key) const;
  const GgufValue& require(std::string_view key) const;
  const GgufArray& array(std::string_view key, GgufKind element) const;

  const InputFile* file_;
  std::map<std::string, GgufValue, std::less<>> values_;
};

}  // namespace leyden::formats
