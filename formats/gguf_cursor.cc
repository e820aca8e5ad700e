#include "formats/gguf_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::uint64_t kBufferBytes = std::uint64_t{1} << 16;

struct KindFacts {
  const char* name;
  std::uint64_t least_bytes;
};

// In the order of the enum.
constexpr std::array<KindFacts, 13> kKinds{{{"u8", 1},
                                            {"i8", 1},
                                            {"u16", 2},
                                            {"i16", 2},
                                            {"u32", 4},
                                            {"i32", 4},
                                            {"f32", 4},
                                            {"bool", 1},
                                            {"string", 8},
                                            {"array", 12},
                                            {"u64", 8},
                                            {"i64", 8},
                                            {"f64", 8}}};

constexpr KindFacts kUnknown{"unknown", 0};

const KindFacts& facts(GgufKind kind) {
  const auto number = static_cast<std::size_t>(kind);
  return number < kKinds.size() ? kKinds[number] : kUnknown;
}

}  // namespace

const char* name(GgufKind kind) { return facts(kind).name; }

std::uint64_t least_bytes(GgufKind kind) { return facts(kind).least_bytes; }

void GgufCursor::refuse(const std::string& what, const std::string& problem) const {
  throw LoadError(file_.name(), fmt::format("{} at byte {}: {}", what, offset_, problem));
}

void GgufCursor::read(std::span<std::byte> to, const std::string& what) {
  if (to.size() > remaining()) {
    refuse(what, fmt::format("needs {} bytes, but the file ends after {}; is it cut off?",
                             to.size(), remaining()));
  }
  const bool is_buffered =
      offset_ >= buffer_offset_ && offset_ + to.size() <= buffer_offset_ + buffer_.size();
  if (to.size() > kBufferBytes) {
    file_.read_exact(offset_, to);
  } else {
    if (!is_buffered) {
      buffer_.resize(std::min(kBufferBytes, remaining()));
      buffer_offset_ = offset_;
      file_.read_exact(buffer_offset_, buffer_);
    }
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(offset_ - buffer_offset_), to.size(),
                to.begin());
  }
  offset_ += to.size();
}

std::string GgufCursor::read_string(const std::string& what) {
  const std::uint64_t length = read_count(1, what);
  std::string text(length, '\0');
  read(std::as_writable_bytes(std::span(text)), what);
  return text;
}

void GgufCursor::skip(std::uint64_t bytes, const std::string& what) {
  if (bytes > remaining()) {
    refuse(what, fmt::format("needs {} bytes, but the file ends after {}; is it cut off?", bytes,
                             remaining()));
  }
  offset_ += bytes;
}

std::uint64_t GgufCursor::read_count(std::uint64_t each_bytes, const std::string& what) {
  const std::uint64_t count = read_u64(what);
  if (count > remaining() / each_bytes) {
    refuse(what,
           fmt::format("is {} long, but the file has only {} bytes left", count, remaining()));
  }
  return count;
}

}  // namespace leyden::formats
