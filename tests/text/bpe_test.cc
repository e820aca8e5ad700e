#include "src/text/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace leyden::text {
namespace {

constexpr int kLetters = 4;

// Merges of random pairs of the tokens so far, over an alphabet of a, b, c, d; many overlap.
formats::TokenizerSpec random_merges(unsigned seed, int n_merges) {
  std::mt19937 random(seed);
  formats::TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.token_bytes.emplace_back(1, static_cast<char>(byte));
    spec.byte_ids[byte] = byte;
  }
  std::vector<TokenId> ids = {'a', 'b', 'c', 'd'};
  std::map<std::string, TokenId> known;
  while (static_cast<int>(spec.merges.size()) < n_merges) {
    const TokenId left = ids[random() % ids.size()];
    const TokenId right = ids[random() % ids.size()];
    const std::string bytes = spec.token_bytes[left] + spec.token_bytes[right];
    if (known.contains(bytes) || bytes.size() > 12) continue;
    const auto id = static_cast<TokenId>(spec.token_bytes.size());
    known[bytes] = id;
    spec.token_bytes.push_back(bytes);
    spec.merges.push_back({left, right, id});
    ids.push_back(id);
  }
  return spec;
}

// The definition: while some neighbours have a merge, do the one that stands first in the list,
// at its leftmost place.
std::vector<TokenId> merged_by_definition(const formats::TokenizerSpec& spec,
                                          const std::string& piece) {
  std::vector<TokenId> tokens;
  for (const char c : piece) tokens.push_back(spec.byte_ids[static_cast<unsigned char>(c)]);
  for (std::size_t rank = 0; rank < spec.merges.size();) {
    const formats::TokenMerge& merge = spec.merges[rank];
    std::size_t at = 0;
    while (at + 1 < tokens.size() && (tokens[at] != merge.left || tokens[at + 1] != merge.right)) {
      ++at;
    }
    if (at + 1 >= tokens.size()) {
      ++rank;
      continue;
    }
    tokens[at] = merge.result;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    rank = 0;
  }
  return tokens;
}

class BpeTest : public testing::TestWithParam<int> {};

TEST_P(BpeTest, MergesAsTheDefinitionSays) {
  const auto length = static_cast<std::size_t>(GetParam());
  for (unsigned seed = 1; seed <= 30; ++seed) {
    const formats::TokenizerSpec spec = random_merges(seed, 40);
    const Bpe bpe(spec);
    std::mt19937 random(seed + 100);
    std::string piece;
    while (piece.size() < length) piece += static_cast<char>('a' + random() % kLetters);
    std::vector<TokenId> tokens;
    bpe.encode(piece, tokens);
    EXPECT_EQ(tokens, merged_by_definition(spec, piece)) << piece;
  }
}

// Pieces up to 48 bytes are merged by scanning, longer ones through a queue.
INSTANTIATE_TEST_SUITE_P(Lengths, BpeTest, testing::Values(0, 1, 2, 3, 8, 47, 48, 49, 50, 200));

TEST(Bpe, RepeatedLettersMergeFromTheLeft) {
  formats::TokenizerSpec spec = random_merges(1, 0);
  spec.token_bytes.emplace_back("aa");
  spec.merges.push_back({'a', 'a', 256});
  const Bpe bpe(spec);
  for (const std::size_t length : {3u, 47u, 49u, 99u}) {
    std::vector<TokenId> tokens;
    bpe.encode(std::string(length, 'a'), tokens);
    std::vector<TokenId> expected(length / 2, 256);
    expected.push_back('a');
    EXPECT_EQ(tokens, expected);
  }
}

}  // namespace
}  // namespace leyden::text
