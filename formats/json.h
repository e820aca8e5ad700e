#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace leyden::formats {

/// A JSON document; objects keep the order of their keys.
/// Looking a key up walks the object, so iterate over big ones (a vocabulary, a weight map).
using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t max_bytes = std::size_t{256} << 20;  // of text
  int max_depth = 64;                              // of arrays and objects within each other
};

/// Parses one JSON document, which must be all of `text` (UTF-8).
/// Exact: integers in the range of int64 and uint64 are stored as such; larger ones keep their
///         digits (see is_big_integer), where nlohmann's own parser would round them to a double.
/// Errors: LoadError "ORIGIN: byte N: ..." for text that isn't JSON, for invalid UTF-8, for a key
///         that an object has twice, for a number beyond double, and for what exceeds `limits`.
Json parse_json(std::string_view text, const std::string& origin, const JsonLimits& limits = {});

/// parse_json() of a whole file; errors begin with the file's path.
Json read_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

/// The bytes of a file, or of a pipe, to its end.
/// Errors: LoadError if it can't be read, is a directory or has more than `max_bytes`.
std::string read_text_file(const std::filesystem::path& path,
                           std::size_t max_bytes = JsonLimits{}.max_bytes);

/// The same of a file that has to be a regular one: reading a named pipe would wait for somebody to
/// write into it.
std::string read_regular_file(const std::filesystem::path& path,
                              std::size_t max_bytes = JsonLimits{}.max_bytes);

/// Whether `value` is an integer beyond 64 bits. nlohmann has no such type, so parse_json() keeps
/// it as a binary value holding the digits; no JSON text produces binary values otherwise.
bool is_big_integer(const Json& value);

/// The decimal digits, with sign, of an integer for which is_big_integer() holds.
std::string_view big_integer_text(const Json& value);

}  // namespace leyden::formats
