#include "formats/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <span>

#include "formats/json_field.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::size_t kMaxDimensions = 8;
constexpr std::int64_t kMaxTensorBytes = INT64_MAX / 2;  // so that rows may be rounded up

[[noreturn]] void refuse(const std::string& file, const std::string& tensor,
                         const std::string& what) {
  throw LoadError(file, fmt::format("tensor '{}': {}", excerpt(tensor, 200), what));
}

/// Bytes of a tensor. Errors: LoadError beyond kMaxTensorBytes.
std::uint64_t bytes_of(const SafetensorsEntry& entry, const std::string& file) {
  std::int64_t bytes = info(entry.type).block_bytes;
  // A dimension of 0 makes any product 0, so it must not hide an overflow of the others.
  for (const std::int64_t dimension : entry.shape) {
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(1, dimension), &bytes) ||
        bytes > kMaxTensorBytes) {
      refuse(file, entry.name,
             fmt::format("shape [{}] is too large", fmt::join(entry.shape, ", ")));
    }
  }
  return std::count(entry.shape.begin(), entry.shape.end(), 0) > 0
             ? 0
             : static_cast<std::uint64_t>(bytes);
}

SafetensorsEntry read_entry(const std::string& name, const JsonField& fields,
                            std::uint64_t data_begin, std::uint64_t file_bytes) {
  SafetensorsEntry entry;
  entry.name = name;
  const std::string& file = fields.origin();
  const std::string& type = fields.string("dtype");
  const auto known = tensor_type_named(type);
  if (!known) refuse(file, name, fmt::format("unknown dtype '{}'", excerpt(type, 40)));
  entry.type = *known;
  const JsonField shape = fields.at("shape");
  if (shape.size() > kMaxDimensions) {
    refuse(file, name,
           fmt::format("has {} dimensions, expected at most {}", shape.size(), kMaxDimensions));
  }
  for (std::size_t i = 0; i < shape.size(); ++i)
    entry.shape.push_back(shape.element(i).as_integer());
  const JsonField range = fields.at("data_offsets");
  if (range.size() != 2) range.refuse("two offsets");
  const auto begin = static_cast<std::uint64_t>(range.element(0).as_integer());
  const auto end = static_cast<std::uint64_t>(range.element(1).as_integer());
  if (begin > end || end > file_bytes - data_begin) {
    refuse(file, name,
           fmt::format("data at bytes {} to {}, expected within the {} bytes after the "
                       "header; is the file cut off?",
                       begin, end, file_bytes - data_begin));
  }
  entry.offset = data_begin + begin;
  entry.bytes = end - begin;
  if (const std::uint64_t expected = bytes_of(entry, file); entry.bytes != expected) {
    refuse(file, name,
           fmt::format("has {} bytes, expected {} for {} [{}]", entry.bytes, expected, type,
                       fmt::join(entry.shape, ", ")));
  }
  return entry;
}

/// Checks that entries, sorted by offset, cover [data_begin, file_bytes) exactly once.
void check_coverage(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_begin,
                    std::uint64_t file_bytes, const std::string& file) {
  std::uint64_t end = data_begin;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.offset < end) {
      refuse(file, entry.name,
             fmt::format("starts at byte {}, inside the tensor before it, which "
                         "ends at byte {}",
                         entry.offset, end));
    }
    if (entry.offset > end) {
      refuse(file, entry.name,
             fmt::format("starts at byte {}, expected {}: the format allows no "
                         "gaps",
                         entry.offset, end));
    }
    end = entry.offset + entry.bytes;
  }
  if (end != file_bytes) {
    throw LoadError(file, fmt::format("the last tensor ends at byte {}, but the file has {} bytes",
                                      end, file_bytes));
  }
}

}  // namespace

std::vector<SafetensorsEntry> read_safetensors_header(const InputFile& file) {
  std::uint64_t header_bytes = 0;
  if (file.size() < sizeof header_bytes) {
    throw LoadError(file.name(), fmt::format("has {} bytes, expected a safetensors file, which "
                                             "starts with the 8 bytes of its header's length",
                                             file.size()));
  }
  file.read_exact(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  const std::uint64_t limit = std::min(kMaxHeaderBytes, file.size() - sizeof header_bytes);
  if (header_bytes > limit) {
    throw LoadError(file.name(),
                    fmt::format("header length is {}, expected at most {}: the file is cut off or "
                                "no safetensors file",
                                header_bytes, limit));
  }
  std::string json(header_bytes, '\0');
  file.read_exact(sizeof header_bytes, std::as_writable_bytes(std::span(json)));
  return parse_safetensors_header(json, sizeof header_bytes + header_bytes, file.size(),
                                  file.name());
}

std::vector<SafetensorsEntry> parse_safetensors_header(std::string_view json,
                                                       std::uint64_t data_begin,
                                                       std::uint64_t file_bytes,
                                                       const std::string& file_name) {
  const Json document = parse_json(json, file_name);
  std::vector<SafetensorsEntry> entries;
  JsonField(document, file_name)
      .for_each_member([&](const std::string& name, const JsonField& fields) {
        if (name == "__metadata__") return;
        if (name.empty()) throw LoadError(file_name, "a tensor has no name");
        entries.push_back(read_entry(name, fields, data_begin, file_bytes));
      });
  if (entries.empty()) throw LoadError(file_name, "holds no tensors");
  // Tensors without bytes go before the one that starts at the same place.
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });
  check_coverage(entries, data_begin, file_bytes, file_name);
  return entries;
}

}  // namespace leyden::formats
