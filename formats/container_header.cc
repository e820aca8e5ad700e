#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <span>

#include "formats/container_index.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

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
static_assert(sizeof(RawHeader) == kContainerHeaderBytes);

std::uint64_t header_checksum(const ContainerHeaderBytes& bytes) {
  constexpr std::size_t kCovered = kContainerHeaderBytes - sizeof(std::uint64_t);
  return checksum(std::span<const std::byte>(bytes).first(kCovered)).high;
}

}  // namespace

ContainerHeaderBytes encode_header(const ContainerHeader& header) {
  RawHeader raw{kContainerMagic,
                header.version,
                header.flags,
                header.file_bytes,
                header.index_offset,
                header.index_bytes,
                big_endian(header.index_checksum.high),
                big_endian(header.index_checksum.low),
                0};
  raw.header_checksum = big_endian(header_checksum(std::bit_cast<ContainerHeaderBytes>(raw)));
  return std::bit_cast<ContainerHeaderBytes>(raw);
}

ContainerHeader decode_header(const ContainerHeaderBytes& bytes, const std::string& file) {
  const auto raw = std::bit_cast<RawHeader>(bytes);
  if (raw.magic != kContainerMagic) throw LoadError(file, "is not a leyden container");
  // Before the checksum: what lies behind the version number is for that version to say.
  if (raw.version > kContainerVersion) {
    throw LoadError(file, fmt::format("is a leyden container of version {}, but this leyden reads "
                                      "version {}; please use a newer leyden",
                                      raw.version, kContainerVersion));
  }
  if (raw.header_checksum != big_endian(header_checksum(bytes))) {
    throw LoadError(file, "the header (bytes 0 to 63) is damaged: its checksum doesn't fit");
  }
  if (raw.version != kContainerVersion || raw.flags != 0) {
    throw LoadError(file, fmt::format("has version {} and flags {:#x}, expected version {} and no "
                                      "flags",
                                      raw.version, raw.flags, kContainerVersion));
  }
  return {
      raw.version,     raw.flags,
      raw.file_bytes,  raw.index_offset,
      raw.index_bytes, {big_endian(raw.index_checksum_high), big_endian(raw.index_checksum_low)}};
}

}  // namespace leyden::formats
