#include "formats/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::uint64_t kBigIntegerSubtype = 1;

/// nlohmann's "[json.exception.parse_error.101] parse error at line 1, column 2: what" as "what".
std::string plain_reason(std::string_view what) {
  if (const auto bracket = what.find("] "); bracket != std::string_view::npos) {
    what.remove_prefix(bracket + 2);
  }
  if (what.starts_with("parse error at ")) {
    if (const auto colon = what.find(": "); colon != std::string_view::npos) {
      what.remove_prefix(colon + 2);
    }
  }
  return excerpt(what, 160);
}

bool is_integer_text(std::string_view text) {
  return text.find_first_not_of("-0123456789") == std::string_view::npos;
}

/// Builds the document from nlohmann's parse events, within the limits. Objects are filled by
/// appending, because ordered_map's own insertion searches the whole object for every key;
/// doubled keys are looked for once, when the object is complete.
class DocumentBuilder final : public nlohmann::json_sax<Json> {
 public:
  DocumentBuilder(std::string_view text, const std::string& origin, int max_depth)
      : text_(text), origin_(origin), max_depth_(max_depth) {}

  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!is_integer_text(text)) return add(value);
    return add(Json::binary({text.begin(), text.end()}, kBigIntegerSubtype));
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // never an event of JSON text

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& name) override {
    members().emplace_back(std::move(name), nullptr);
    return true;
  }
  bool end_object() override {
    refuse_doubled_keys();
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::size_t offset = std::min(position == 0 ? 0 : position - 1, text_.size());
    throw LoadError(origin_, fmt::format("byte {}: {}", offset, plain_reason(error.what())));
  }

 private:
  Json::object_t::Container& members() {
    return static_cast<Json::object_t::Container&>(open_.back()->get_ref<Json::object_t&>());
  }

  // The place where the next value belongs: the root, a new array element, or the last key.
  Json& place() {
    if (open_.empty()) return root_;
    if (open_.back()->is_object()) return members().back().second;
    return open_.back()->get_ref<Json::array_t&>().emplace_back();
  }

  template <typename Value>
  bool add(Value&& value) {
    place() = Json(std::forward<Value>(value));
    return true;
  }

  bool open(Json container) {
    if (static_cast<int>(open_.size()) == max_depth_) {
      throw LoadError(origin_, fmt::format("arrays and objects lie more than {} deep in each other",
                                           max_depth_));
    }
    Json& value = place();
    value = std::move(container);
    open_.push_back(&value);
    return true;
  }

  void refuse_doubled_keys() {
    std::vector<std::string_view> names;
    names.reserve(members().size());
    for (const auto& [name, value] : members()) names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto doubled = std::adjacent_find(names.begin(), names.end());
    if (doubled == names.end()) return;
    throw LoadError(origin_, fmt::format("an object has the key '{}' twice, expected at most once",
                                         excerpt(*doubled, 80)));
  }

  std::string_view text_;
  const std::string& origin_;
  int max_depth_;
  Json root_;
  std::vector<Json*> open_;  // containers not yet closed, outermost first
};

}  // namespace

Json parse_json(std::string_view text, const std::string& origin, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw LoadError(origin, fmt::format("JSON text of {} bytes, expected at most {}", text.size(),
                                        limits.max_bytes));
  }
  DocumentBuilder builder(text, origin, limits.max_depth);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

Json read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse_json(read_text_file(path, limits.max_bytes), path.string(), limits);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw LoadError(path.string(), "is a directory, expected a file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw LoadError(path.string(), fmt::format("can't open: {}", std::strerror(errno)));
  const auto too_long = [&] {
    return LoadError(path.string(), fmt::format("has more than {} bytes", max_bytes));
  };
  // Of a regular file this is known before it is read; the others have none, or 0.
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (!ignored && size > max_bytes) throw too_long();
  std::string text;
  if (!ignored) text.reserve(size);
  constexpr std::size_t kChunk = std::size_t{1} << 16;
  const auto chunk = std::make_unique<char[]>(kChunk);
  while (file.read(chunk.get(), kChunk) || file.gcount() > 0) {
    const auto n = static_cast<std::size_t>(file.gcount());
    if (text.size() + n > max_bytes) throw too_long();
    text.append(chunk.get(), n);
  }
  if (file.bad())
    throw LoadError(path.string(), fmt::format("can't read: {}", std::strerror(errno)));
  return text;
}

std::string read_regular_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_directory(status) &&
      !std::filesystem::is_regular_file(status)) {
    throw LoadError(path.string(), "is not a regular file");
  }
  return read_text_file(path, max_bytes);
}

bool is_big_integer(const Json& value) {
  return value.is_binary() && value.get_binary().has_subtype() &&
         value.get_binary().subtype() == kBigIntegerSubtype;
}

std::string_view big_integer_text(const Json& value) {
  const auto& digits = value.get_binary();
  return {reinterpret_cast<const char*>(digits.data()), digits.size()};
}

}  // namespace leyden::formats
