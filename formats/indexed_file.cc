#include "formats/indexed_file.h"

#include <fmt/format.h>

#include <bit>
#include <span>

#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{256} << 20;

// A big-endian checksum reads like the hexadecimal digits people compare it with.
std::uint64_t big_endian(std::uint64_t value) { return __builtin_bswap64(value); }

struct RawHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t flags;
  std::uint64_t file_bytes;
  std::uint64_t index_offset;
  std::uint64_t index_bytes;
  std::uint64_t index_checksum_high;
  std::uint64_t index_checksum_low;
  std::uint64_t header_checksum;
};
static_assert(sizeof(RawHeader) == kFileHeaderBytes);

std::uint64_t header_checksum(const FileHeaderBytes& bytes) {
  constexpr std::size_t kCovered = kFileHeaderBytes - sizeof(std::uint64_t);
  return checksum(std::span<const std::byte>(bytes).first(kCovered)).high;
}

}  // namespace

FileHeaderBytes encode_header(const FileKind& kind, const FileHeader& header) {
  RawHeader raw{kind.magic,
                header.version,
                header.flags,
                header.file_bytes,
                header.index_offset,
                header.index_bytes,
                big_endian(header.index_checksum.high),
                big_endian(header.index_checksum.low),
                0};
  raw.header_checksum = big_endian(header_checksum(std::bit_cast<FileHeaderBytes>(raw)));
  return std::bit_cast<FileHeaderBytes>(raw);
}

FileHeader decode_header(const FileKind& kind, const FileHeaderBytes& bytes,
                         const std::string& file) {
  const auto raw = std::bit_cast<RawHeader>(bytes);
  if (raw.magic != kind.magic) throw LoadError(file, fmt::format("is not a {}", kind.name));
  // Before the checksum: what lies behind the version number is for that version to say.
  if (raw.version > kind.version) {
    throw LoadError(file, fmt::format("is a {} of version {}, but this leyden reads version {}; "
                                      "please use a newer leyden",
                                      kind.name, raw.version, kind.version));
  }
  if (raw.header_checksum != big_endian(header_checksum(bytes))) {
    throw LoadError(file, "the header (bytes 0 to 63) is damaged: its checksum doesn't fit");
  }
  if (raw.version != kind.version || raw.flags != 0) {
    throw LoadError(file, fmt::format("has version {} and flags {:#x}, expected version {} and no "
                                      "flags",
                                      raw.version, raw.flags, kind.version));
  }
  return {
      raw.version,     raw.flags,
      raw.file_bytes,  raw.index_offset,
      raw.index_bytes, {big_endian(raw.index_checksum_high), big_endian(raw.index_checksum_low)}};
}

FileIndex read_index(const FileKind& kind, const InputFile& file) {
  FileHeaderBytes bytes{};
  if (file.size() < bytes.size()) {
    throw LoadError(file.name(), fmt::format("has {} bytes, fewer than the {} of a {}'s header",
                                             file.size(), bytes.size(), kind.name));
  }
  file.read_exact(0, bytes);
  const FileHeader header = decode_header(kind, bytes, file.name());
  if (header.file_bytes != file.size()) {
    throw LoadError(
        file.name(),
        fmt::format("has {} bytes, expected {}: the file is {}", file.size(), header.file_bytes,
                    file.size() < header.file_bytes ? "cut off" : "too long"));
  }
  if (header.index_offset < kFileHeaderBytes || header.index_offset > file.size() ||
      header.index_bytes > file.size() - header.index_offset ||
      header.index_bytes > kMaxIndexBytes) {
    throw LoadError(file.name(), fmt::format("the index at byte {} has {} bytes, expected at most "
                                             "{} inside the file's {}",
                                             header.index_offset, header.index_bytes,
                                             kMaxIndexBytes, file.size()));
  }
  FileIndex index{std::string(header.index_bytes, '\0'), header.index_offset};
  file.read_exact(header.index_offset, std::as_writable_bytes(std::span(index.json)));
  if (checksum(index.json) != header.index_checksum) {
    throw LoadError(file.name(), fmt::format("the index at byte {} is damaged: its checksum "
                                             "doesn't fit",
                                             header.index_offset));
  }
  return index;
}

void write_index(const FileKind& kind, OutputFile& file, std::uint64_t offset,
                 std::string_view json) {
  file.write(offset, std::as_bytes(std::span(json)));
  FileHeader header;
  header.version = kind.version;
  header.file_bytes = offset + json.size();
  header.index_offset = offset;
  header.index_bytes = json.size();
  header.index_checksum = checksum(json);
  file.write(0, encode_header(kind, header));
}

bool is_of_kind(const FileKind& kind, const std::filesystem::path& path) {
  try {
    const InputFile file(path);
    std::array<char, 8> magic{};
    file.read_exact(0, std::as_writable_bytes(std::span(magic)));
    return magic == kind.magic;
  } catch (const LoadError&) {
    return false;
  }
}

}  // namespace leyden::formats
