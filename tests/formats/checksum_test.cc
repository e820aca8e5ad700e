#include "formats/checksum.h"

#include <gtest/gtest.h>

#include <vector>

namespace leyden::formats {
namespace {

TEST(ChecksumTest, IsXxh3AsTheToolPrintsIt) {
  // printf '' | xxhsum -H2; the empty input's XXH3-128 is part of xxHash's specification.
  EXPECT_EQ(to_hex(checksum(std::string_view())), "99aa06d3014798d86001c324468d497f");
}

TEST(ChecksumTest, HexGoesBothWaysAndRefusesTheRest) {
  const Checksum sum = checksum("leyden");
  EXPECT_EQ(checksum_from_hex(to_hex(sum)), sum);
  EXPECT_FALSE(checksum_from_hex(""));
  EXPECT_FALSE(checksum_from_hex(to_hex(sum) + "0"));
  EXPECT_FALSE(checksum_from_hex("+9aa06d3014798d86001c324468d497f"));
  EXPECT_FALSE(checksum_from_hex("99AA06D3014798D86001C324468D497F"));
}

TEST(ChunkedChecksumTest, DependsOnContentsAndOrderOfChunks) {
  constexpr std::uint64_t kChunk = ChunkedChecksum::kChunkBytes;
  std::vector<std::byte> a(kChunk, std::byte{1});
  std::vector<std::byte> b(kChunk, std::byte{2});
  std::vector<std::byte> tail(5, std::byte{3});
  const auto value = [&](const auto& first, const auto& second) {
    ChunkedChecksum sum(2 * kChunk + 5);
    EXPECT_EQ(sum.n_chunks(), 3u);
    EXPECT_EQ(sum.chunk_bytes(2), 5u);
    sum.set(2, tail);
    sum.set(0, first);
    sum.set(1, second);
    return sum.value();
  };
  const Checksum original = value(a, b);
  EXPECT_EQ(value(a, b), original);
  EXPECT_NE(value(b, a), original);
  tail[4] = std::byte{4};
  EXPECT_NE(value(a, b), original);
}

}  // namespace
}  // namespace leyden::formats
