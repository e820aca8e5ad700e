#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/input_file.h"

namespace leyden::formats {

/// The kinds of values that GGUF keys may have, by their number in the file.
enum class GgufKind : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

/// "u32", "string", ...; "unknown" for a number beyond the enum.
const char* name(GgufKind kind);

/// Bytes of one value; for strings and arrays, whose length varies, the fewest it can take.
/// 0 for a number beyond the enum.
std::uint64_t least_bytes(GgufKind kind);

/// Reads a GGUF file from some byte on, one little-endian value after the other. Nothing is read
/// or allocated before it is known to lie inside the file.
class GgufCursor {
 public:
  /// Borrows `file`.
  GgufCursor(const InputFile& file, std::uint64_t offset) : file_(file), offset_(offset) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return file_.size() - offset_; }

  /// Errors (of all readers): LoadError "FILE: WHAT at byte N: ..." when the file ends before.
  std::uint32_t read_u32(const std::string& what) { return read_number<std::uint32_t>(what); }
  std::uint64_t read_u64(const std::string& what) { return read_number<std::uint64_t>(what); }
  template <typename Number>
  Number read_number(const std::string& what) {
    Number value{};
    read(std::as_writable_bytes(std::span(&value, 1)), what);
    return value;
  }
  /// u64 length, then the bytes.
  std::string read_string(const std::string& what);
  void skip(std::uint64_t bytes, const std::string& what);
  /// A number of things that take at least `each_bytes` bytes apiece, so that it can't be larger
  /// than the rest of the file has room for.
  std::uint64_t read_count(std::uint64_t each_bytes, const std::string& what);

  /// Throws LoadError "FILE: WHAT at byte OFFSET: PROBLEM".
  [[noreturn]] void refuse(const std::string& what, const std::string& problem) const;

 private:
  void read(std::span<std::byte> to, const std::string& what);

  const InputFile& file_;
  std::uint64_t offset_;
  std::uint64_t buffer_offset_ = 0;  // in the file
  std::vector<std::byte> buffer_;
};

}  // namespace leyden::formats
