#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leyden::formats {

/// An XXH3-128 value.
struct Checksum {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const Checksum&) const = default;
};

/// XXH3-128 of some bytes, seed 0.
Checksum checksum(std::span<const std::byte> bytes);
Checksum checksum(std::string_view text);

/// 32 hexadecimal digits, high half first, as xxh128sum prints it.
std::string to_hex(const Checksum& sum);
std::optional<Checksum> checksum_from_hex(std::string_view hex);

/// The checksum of something long that several threads read or write in pieces and in any order:
/// XXH3-128 of the XXH3-128s (16 bytes each, big-endian) of its consecutive chunks of 1 MiB. The
/// last chunk may be shorter; a single chunk is hashed twice like any other.
class ChunkedChecksum {
 public:
  static constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20;

  explicit ChunkedChecksum(std::uint64_t total_bytes);

  std::size_t n_chunks() const { return chunks_.size(); }
  /// Bytes of one chunk: 1 MiB but for the last.
  std::uint64_t chunk_bytes(std::size_t chunk) const;

  /// Records a whole chunk. Threads may set different chunks at once.
  void set(std::size_t chunk, std::span<const std::byte> bytes);

  /// The checksum. Every chunk must have been set.
  Checksum value() const;

 private:
  std::uint64_t total_bytes_;
  std::vector<Checksum> chunks_;
};

}  // namespace leyden::formats
