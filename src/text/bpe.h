#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"
#include "src/text/token.h"

namespace leyden::text {

/// Byte pair encoding: a piece begins as one token per byte; then, as long as two neighbours have a
/// merge, the pair with the lowest rank (the leftmost of equals) becomes one token.
/// Immutable, so any number of threads may share one.
class Bpe {
 public:
  /// `spec` is checked, see there.
  explicit Bpe(const formats::TokenizerSpec& spec);

  /// Appends the tokens of `piece` to `out`. Any bytes are good. Time n log n in bytes.
  void encode(std::string_view piece, std::vector<TokenId>& out) const;

 private:
  static constexpr std::uint32_t kNoRank = ~std::uint32_t{0};

  struct Slot {  // of an open-addressing table over pairs of neighbours
    TokenId left = -1;
    TokenId right = -1;
    std::uint32_t rank = kNoRank;
  };

  std::uint32_t rank_of(TokenId left, TokenId right) const noexcept;
  std::size_t slot_of(TokenId left, TokenId right) const noexcept;
  void merge_by_scanning(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_by_queue(std::string_view piece, std::vector<TokenId>& out) const;

  std::array<TokenId, 256> byte_ids_;
  std::vector<Slot> slots_;       // a power of two, at most half full
  std::vector<TokenId> results_;  // [rank]
  int shift_;                     // a hash's upper bits that number the slots
};

}  // namespace leyden::text
