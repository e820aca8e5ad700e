#include "formats/gguf_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::int64_t kMaxParts = 99'999;  // five digits

/// The NAME of "NAME-00001-of-00003.gguf", if the file name ends like that.
std::optional<std::string> split_stem(const std::string& file_name, std::int64_t count) {
  const std::string ending = fmt::format("-{:05}-of-{:05}.gguf", 1, count);
  if (!file_name.ends_with(ending)) return std::nullopt;
  return file_name.substr(0, file_name.size() - ending.size());
}

void check_part(const GgufFile& part, std::int64_t number, std::int64_t count) {
  const GgufKeys& keys = part.keys();
  if (!keys.has("split.count")) {
    throw LoadError(part.name(),
                    fmt::format("has no key 'split.count', expected part {} of {}", number, count));
  }
  if (const std::int64_t found = keys.integer("split.count", 0, kMaxParts); found != count) {
    keys.refuse("split.count", fmt::format("is {}, expected {}", found, count));
  }
  if (const std::int64_t found = keys.integer("split.no", 0, kMaxParts); found != number - 1) {
    keys.refuse("split.no", fmt::format("is {}, expected {} for part {} of {}", found, number - 1,
                                        number, count));
  }
}

void check_tensors(const std::vector<GgufFile>& parts) {
  std::map<std::string_view, const GgufFile*> seen;
  for (const GgufFile& part : parts) {
    for (const GgufTensor& tensor : part.tensors()) {
      const auto [found, is_new] = seen.emplace(tensor.name, &part);
      if (is_new) continue;
      throw LoadError(part.name(), fmt::format("tensor '{}' is also in {}, expected it once",
                                               excerpt(tensor.name, 100), found->second->name()));
    }
  }
  const GgufKeys& keys = parts.front().keys();
  const auto expected = static_cast<std::size_t>(keys.integer("split.tensors.count", 0, INT64_MAX));
  if (seen.size() == expected) return;
  keys.refuse("split.tensors.count", fmt::format("is {}, but the {} parts hold {} tensors",
                                                 expected, parts.size(), seen.size()));
}

}  // namespace

std::vector<GgufFile> open_gguf_parts(const std::filesystem::path& path) {
  std::vector<GgufFile> parts;
  parts.emplace_back(path);
  const GgufKeys& keys = parts.front().keys();
  // llama.cpp's tool leaves a count of 0 where it has merged parts into one file.
  const std::int64_t count =
      std::max<std::int64_t>(1, keys.integer_or("split.count", 1, 0, kMaxParts));
  if (const std::int64_t number = keys.integer_or("split.no", 0, 0, kMaxParts); number != 0) {
    throw LoadError(path.string(),
                    fmt::format("is part {} of {}, please open part 1", number + 1, count));
  }
  if (count == 1) return parts;
  const auto stem = split_stem(path.filename().string(), count);
  if (!stem) {
    throw LoadError(
        path.string(),
        fmt::format("is part 1 of {}, but its name doesn't end in -00001-of-{:05}.gguf; "
                    "were parts renamed or joined?",
                    count, count));
  }
  for (std::int64_t number = 2; number <= count; ++number) {
    const auto part =
        path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", *stem, number, count);
    std::error_code ignored;
    if (!std::filesystem::exists(part, ignored)) {
      throw LoadError(part.string(), fmt::format("part {} of {} is missing", number, count));
    }
    parts.emplace_back(part);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    check_part(parts[i], static_cast<std::int64_t>(i) + 1, count);
  }
  check_tensors(parts);
  return parts;
}

}  // namespace leyden::formats
