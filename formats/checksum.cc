#include "formats/checksum.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace leyden::formats {

Checksum checksum(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Checksum checksum(std::string_view text) { return checksum(std::as_bytes(std::span(text))); }

std::string to_hex(const Checksum& sum) { return fmt::format("{:016x}{:016x}", sum.high, sum.low); }

std::optional<Checksum> checksum_from_hex(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (hex.size() != 32 || hex.find_first_not_of(kDigits) != std::string_view::npos) {
    return std::nullopt;
  }
  Checksum sum;
  std::from_chars(hex.data(), hex.data() + 16, sum.high, 16);
  std::from_chars(hex.data() + 16, hex.data() + 32, sum.low, 16);
  return sum;
}

ChunkedChecksum::ChunkedChecksum(std::uint64_t total_bytes)
    : total_bytes_(total_bytes), chunks_((total_bytes + kChunkBytes - 1) / kChunkBytes) {}

std::uint64_t ChunkedChecksum::chunk_bytes(std::size_t chunk) const {
  return std::min(kChunkBytes, total_bytes_ - chunk * kChunkBytes);
}

void ChunkedChecksum::set(std::size_t chunk, std::span<const std::byte> bytes) {
  chunks_[chunk] = checksum(bytes);
}

Checksum ChunkedChecksum::value() const {
  std::vector<XXH128_canonical_t> canonical(chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    XXH128_canonicalFromHash(&canonical[i], {chunks_[i].low, chunks_[i].high});
  }
  return checksum(std::as_bytes(std::span(canonical)));
}

}  // namespace leyden::formats
