#include "src/text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <utility>

namespace leyden::text {
namespace {

// Up to here looking at every pair for the best one is faster than keeping a queue of them.
constexpr std::size_t kScanLimit = 48;

}  // namespace

Bpe::Bpe(const formats::TokenizerSpec& spec) : byte_ids_(spec.byte_ids) {
  const std::size_t n_slots = std::bit_ceil(std::max<std::size_t>(16, spec.merges.size() * 2));
  slots_.resize(n_slots);
  shift_ = 64 - std::countr_zero(n_slots);
  results_.reserve(spec.merges.size());
  for (const formats::TokenMerge& merge : spec.merges) {
    const auto rank = static_cast<std::uint32_t>(results_.size());
    results_.push_back(merge.result);
    Slot& slot = slots_[slot_of(merge.left, merge.right)];
    if (slot.rank == kNoRank)
      slot = {merge.left, merge.right, rank};  // the first of doubles counts
  }
}

// Where the pair is, or where it would be put.
std::size_t Bpe::slot_of(TokenId left, TokenId right) const noexcept {
  const std::uint64_t key =
      static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  std::size_t at = (key * 0x9E3779B97F4A7C15u) >> shift_;  // Fibonacci hashing
  while (slots_[at].rank != kNoRank && (slots_[at].left != left || slots_[at].right != right)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  return at;
}

std::uint32_t Bpe::rank_of(TokenId left, TokenId right) const noexcept {
  return slots_[slot_of(left, right)].rank;
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& out) const {
  if (piece.size() == 1) {
    out.push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
  } else if (piece.size() <= kScanLimit) {
    merge_by_scanning(piece, out);
  } else {
    merge_by_queue(piece, out);
  }
}

void Bpe::merge_by_scanning(std::string_view piece, std::vector<TokenId>& out) const {
  TokenId tokens[kScanLimit];
  std::uint32_t ranks[kScanLimit];  // of tokens[i] with tokens[i + 1]
  std::size_t n = piece.size();
  if (n == 0) return;
  for (std::size_t i = 0; i < n; ++i) tokens[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (std::size_t i = 0; i + 1 < n; ++i) ranks[i] = rank_of(tokens[i], tokens[i + 1]);
  while (n > 1) {
    const std::size_t best = std::min_element(ranks, ranks + n - 1) - ranks;
    if (ranks[best] == kNoRank) break;
    tokens[best] = results_[ranks[best]];
    std::copy(tokens + best + 2, tokens + n, tokens + best + 1);
    if (best + 2 < n) std::copy(ranks + best + 2, ranks + n - 1, ranks + best + 1);
    --n;
    if (best > 0) ranks[best - 1] = rank_of(tokens[best - 1], tokens[best]);
    if (best + 1 < n) ranks[best] = rank_of(tokens[best], tokens[best + 1]);
  }
  out.insert(out.end(), tokens, tokens + n);
}

void Bpe::merge_by_queue(std::string_view piece, std::vector<TokenId>& out) const {
  struct Node {  // a token and its neighbours, by index; a merged-away node has id -1
    TokenId id;
    std::int64_t previous;
    std::int64_t next;
  };
  const auto n = static_cast<std::int64_t>(piece.size());
  std::vector<Node> nodes(piece.size());
  for (std::int64_t i = 0; i < n; ++i) {
    nodes[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], i - 1, i + 1 < n ? i + 1 : -1};
  }
  // Rank, then place: the order in which merges are due. An entry whose pair has changed meanwhile
  // is passed over; no entry needs to be found and removed.
  using Due = std::pair<std::uint32_t, std::int64_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue;
  const auto rank_at = [&](std::int64_t i) {
    if (nodes[i].id < 0 || nodes[i].next < 0) return kNoRank;
    return rank_of(nodes[i].id, nodes[nodes[i].next].id);
  };
  const auto enqueue = [&](std::int64_t i) {
    if (const std::uint32_t rank = rank_at(i); rank != kNoRank) queue.emplace(rank, i);
  };
  for (std::int64_t i = 0; i < n; ++i) enqueue(i);
  while (!queue.empty()) {
    const auto [rank, at] = queue.top();
    queue.pop();
    if (rank_at(at) != rank) continue;
    Node& left = nodes[at];
    Node& right = nodes[left.next];
    left.id = results_[rank];
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) nodes[left.next].previous = at;
    if (left.previous >= 0) enqueue(left.previous);
    enqueue(at);
  }
  for (std::int64_t i = 0; i >= 0; i = nodes[i].next) out.push_back(nodes[i].id);
}

}  // namespace leyden::text
