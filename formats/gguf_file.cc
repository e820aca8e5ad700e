#include "formats/gguf_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <string_view>
#include <utility>

#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::size_t kMaxNameBytes = 63;  // ggml's limit
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::int64_t kDefaultAlignment = 32;
constexpr std::int64_t kMaxAlignment = 1 << 20;
// The least a key (name of one byte, kind, value) and a tensor (name, one dimension, type, offset)
// take in the file.
constexpr std::uint64_t kLeastKeyBytes = 8 + 1 + 4 + 1;
constexpr std::uint64_t kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

void check_version(GgufCursor& cursor) {
  std::array<char, 4> magic{};
  for (char& letter : magic) letter = cursor.read_number<char>("the magic");
  const std::string_view found(magic.data(), magic.size());
  if (found != kMagic) {
    const bool is_older = found == "lmgg" || found == "tjgg" || found == "fmgg" || found == "algg";
    cursor.refuse("the magic",
                  is_older ? "is that of GGML, the format before GGUF, which leyden can't read"
                           : fmt::format("is '{}', expected 'GGUF'", excerpt(found, 16)));
  }
  const std::uint32_t version = cursor.read_u32("the version");
  if (version == 2 || version == 3) return;
  const bool is_swapped = version != 0 && __builtin_bswap32(version) <= 3;
  cursor.refuse("the version", is_swapped ? "the file is big-endian, expected little-endian"
                                          : fmt::format("is {}, expected 2 or 3", version));
}

std::vector<std::int64_t> read_shape(GgufCursor& cursor, const std::string& what) {
  const std::uint32_t n_dimensions = cursor.read_u32(what);
  if (n_dimensions < 1 || n_dimensions > kMaxDimensions) {
    cursor.refuse(what,
                  fmt::format("has {} dimensions, expected 1 to {}", n_dimensions, kMaxDimensions));
  }
  std::vector<std::int64_t> shape;
  for (std::uint32_t i = 0; i < n_dimensions; ++i) {
    const std::uint64_t size = cursor.read_u64(what);
    if (size == 0 || size > std::uint64_t{INT64_MAX}) {
      cursor.refuse(what, fmt::format("has a dimension of {}, expected 1 to 2^63 - 1", size));
    }
    shape.push_back(static_cast<std::int64_t>(size));
  }
  std::reverse(shape.begin(), shape.end());
  return shape;
}

/// Bytes of a tensor, whose rows must be whole blocks.
std::uint64_t bytes_of(const GgufTensor& tensor, const GgufCursor& cursor,
                       const std::string& what) {
  const TensorTypeInfo& type = info(tensor.type);
  if (tensor.shape.back() % type.block_values != 0) {
    cursor.refuse(what, fmt::format("has rows of {} values, expected a multiple of {} for {}",
                                    tensor.shape.back(), type.block_values, type.name));
  }
  auto bytes = static_cast<std::uint64_t>(tensor.shape.back() / type.block_values);
  bool overflows =
      __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(type.block_bytes), &bytes);
  for (std::size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
    overflows |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(tensor.shape[i]), &bytes);
  }
  if (overflows) {
    cursor.refuse(what, fmt::format("of shape [{}] is too large", fmt::join(tensor.shape, ", ")));
  }
  return bytes;
}

GgufTensor read_tensor(GgufCursor& cursor, std::uint64_t number) {
  GgufTensor tensor;
  tensor.name = cursor.read_string(fmt::format("the name of tensor {}", number));
  const std::string what = fmt::format("tensor '{}'", excerpt(tensor.name, 100));
  if (tensor.name.empty() || tensor.name.size() > kMaxNameBytes) {
    cursor.refuse(what, fmt::format("has a name of {} bytes, expected 1 to {}", tensor.name.size(),
                                    kMaxNameBytes));
  }
  tensor.shape = read_shape(cursor, what);
  const std::uint32_t type = cursor.read_u32(what);
  const auto known = gguf_tensor_type(type);
  if (!known) {
    cursor.refuse(what, fmt::format("has type {}, which leyden can't read", gguf_type_name(type)));
  }
  tensor.type = *known;
  tensor.offset = cursor.read_u64(what);
  tensor.bytes = bytes_of(tensor, cursor, what);
  return tensor;
}

std::uint64_t alignment_of(const GgufKeys& keys) {
  constexpr std::string_view kKey = "general.alignment";
  const auto kind = keys.kind(kKey);
  if (kind && *kind != GgufKind::kU32) keys.refuse(kKey, "is no u32");
  const auto alignment =
      static_cast<std::uint64_t>(keys.integer_or(kKey, kDefaultAlignment, 1, kMaxAlignment));
  if (!std::has_single_bit(alignment)) {
    keys.refuse(kKey, fmt::format("is {}, expected a power of two", alignment));
  }
  return alignment;
}

void check_overlaps(std::vector<const GgufTensor*> by_offset, const std::string& file) {
  std::sort(by_offset.begin(), by_offset.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const GgufTensor& before = *by_offset[i - 1];
    if (by_offset[i]->offset >= before.offset + before.bytes) continue;
    throw LoadError(file, fmt::format("tensor '{}' at byte {} overlaps '{}', which ends at byte {}",
                                      excerpt(by_offset[i]->name, 100), by_offset[i]->offset,
                                      excerpt(before.name, 100), before.offset + before.bytes));
  }
}

}  // namespace

bool is_gguf(const std::filesystem::path& path) {
  try {
    const InputFile file(path);
    std::array<char, 4> magic{};
    file.read_exact(0, std::as_writable_bytes(std::span(magic)));
    return std::string_view(magic.data(), magic.size()) == kMagic;
  } catch (const LoadError&) {
    return false;
  }
}

GgufFile::GgufFile(const std::filesystem::path& path) : file_(std::make_unique<InputFile>(path)) {
  GgufCursor cursor(*file_, 0);
  check_version(cursor);
  const std::uint64_t n_tensors = cursor.read_count(kLeastTensorBytes, "the number of tensors");
  const std::uint64_t n_keys = cursor.read_count(kLeastKeyBytes, "the number of keys");
  keys_ = std::make_unique<GgufKeys>(*file_, cursor, n_keys);
  read_tensors(cursor, n_tensors);
  place_tensors(cursor.offset());
}

void GgufFile::read_tensors(GgufCursor& cursor, std::uint64_t count) {
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < count; ++i) tensors_.push_back(read_tensor(cursor, i));
  for (const GgufTensor& tensor : tensors_) {
    if (names.insert(tensor.name).second) continue;
    throw LoadError(name(), fmt::format("tensor '{}' comes twice", excerpt(tensor.name, 100)));
  }
}

void GgufFile::place_tensors(std::uint64_t list_end) {
  const std::uint64_t alignment = alignment_of(*keys_);
  const std::uint64_t data_begin = (list_end + alignment - 1) / alignment * alignment;
  std::vector<const GgufTensor*> by_offset;
  for (GgufTensor& tensor : tensors_) {
    const auto refuse = [&](const std::string& problem) {
      throw LoadError(name(), fmt::format("tensor '{}': {}", excerpt(tensor.name, 100), problem));
    };
    if (tensor.offset % alignment != 0) {
      refuse(fmt::format("offset is {}, expected a multiple of {}", tensor.offset, alignment));
    }
    const std::uint64_t available =
        file_->size() - std::min(file_->size(), data_begin);  // data_begin may lie past a cut
    if (tensor.offset > available || tensor.bytes > available - tensor.offset) {
      refuse(
          fmt::format("{} bytes at byte {} of the data go beyond its {} bytes; is the file cut "
                      "off?",
                      tensor.bytes, tensor.offset, available));
    }
    tensor.offset += data_begin;
    by_offset.push_back(&tensor);
  }
  check_overlaps(std::move(by_offset), name());
}

}  // namespace leyden::formats
