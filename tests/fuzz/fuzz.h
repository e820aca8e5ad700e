#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "formats/load_error.h"
#include "formats/utf8.h"

namespace leyden::fuzz {

using Target = int (*)(const std::uint8_t* data, std::size_t size);

/// By name; files make their targets known in any order.
inline std::map<std::string_view, Target>& targets() {
  static std::map<std::string_view, Target> known;
  return known;
}

/// Ends the program if something that holds for any input doesn't.
inline void must(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "doesn't hold: %s\n", claim);
  std::abort();
}

/// Runs `read`, which may refuse its input by a LoadError with a printable sentence; anything else
/// that it throws is a finding. True if it didn't refuse.
template <class Read>
bool accepts(const Read& read) {
  try {
    read();
    return true;
  } catch (const formats::LoadError& error) {
    const std::string_view sentence = error.what();
    must(sentence.size() < 10'000, "a refusal is short");
    must(formats::utf8_valid_prefix(sentence) == sentence.size(), "a refusal is UTF-8");
    must(sentence.find('\x1b') == std::string_view::npos, "a refusal has no escape characters");
    return false;
  }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A file in memory that has a path.
class MemoryFile {
 public:
  /// bytes, followed by zeros up to `least_size`.
  explicit MemoryFile(std::string_view bytes, std::size_t least_size = 0)
      : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    must(descriptor_ >= 0, "memfd_create works");
    const auto written = ::write(descriptor_, bytes.data(), bytes.size());
    must(written == static_cast<ssize_t>(bytes.size()), "memory can be written");
    if (least_size > bytes.size()) {
      must(::ftruncate(descriptor_, static_cast<off_t>(least_size)) == 0, "memory can grow");
    }
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace leyden::fuzz

/// FUZZ_TARGET(NAME) { ... }: what a file NAME_fuzz.cc does with `data` of `size` bytes.
#define FUZZ_TARGET(name)                                                                         \
  static int fuzz_##name(const std::uint8_t*, std::size_t);                                       \
  static const bool name##_is_known = leyden::fuzz::targets().emplace(#name, fuzz_##name).second; \
  static int fuzz_##name(const std::uint8_t* data, std::size_t size)
