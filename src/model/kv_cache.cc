#include "src/model/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "simd/layout.h"
#include "src/runtime/available_memory.h"
#include "src/runtime/huge_page_state.h"

namespace leyden::model {
namespace {

/// Whether no other session has the page, so that it may be written. A count of 1 tells that the
/// others have let go of it, but not that what they read has been read: the count is looked at
/// without any order. Giving a reference back acquires what others have released by giving back
/// theirs. (So would a fence, which ThreadSanitizer doesn't know.)
bool is_ours_alone(const std::shared_ptr<runtime::Memory>& page) {
  if (page.use_count() != 1) return false;
  std::shared_ptr<runtime::Memory>(page).reset();
  return true;
}

constexpr std::size_t pages_of(std::int32_t tokens) {
  return static_cast<std::size_t>((tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens);
}

/// What may be promised without asking for how much there is, which takes reading files.
constexpr std::uint64_t kUncheckedBytes = std::uint64_t{64} << 20;
/// Of that, what is left since the last question. All caches take from it: many small promises are
/// a large one.
std::atomic<std::int64_t> unchecked_left = 0;

}  // namespace

KvCache::KvCache(const formats::ModelConfig& config, CacheFormats formats, std::vector<int> nodes)
    : formats_(formats),
      row_bytes_(simd::kv_row_bytes(formats.kv, config.kv_lora_rank, config.qk_rope_head_dim)),
      tile_bytes_(
          config.has_indexer() ? simd::index_tile_bytes(formats.index, config.index_head_dim) : 0),
      layer_bytes_(kPageTokens * row_bytes_ + kPageTokens / 16 * tile_bytes_),
      page_bytes_(layer_bytes_ * static_cast<std::size_t>(config.num_hidden_layers)),
      nodes_(std::move(nodes)) {}

std::shared_ptr<runtime::Memory> KvCache::new_page(std::size_t i) const {
  runtime::MemoryHome home;
  if (!nodes_.empty()) {
    const int node = node_of(static_cast<std::int32_t>(i) * kPageTokens);
    home = {runtime::MemoryHome::Kind::kNear, {nodes_[static_cast<std::size_t>(node)]}};
  }
  return std::make_shared<runtime::Memory>(page_bytes_, runtime::HugePages::kAuto, home);
}

bool KvCache::is_writable(std::size_t page) const {
  return page < pages_.size() && is_ours_alone(pages_[page]);
}

/// Large pages are touched long after they were promised; then it is too late for a sentence.
void KvCache::require_memory(std::size_t first_page, std::size_t end_page) const {
  std::size_t bytes = 0;
  for (std::size_t i = first_page; i < end_page; ++i) bytes += is_writable(i) ? 0 : page_bytes_;
  const auto promised = static_cast<std::int64_t>(bytes);
  if (bytes == 0 || unchecked_left.fetch_sub(promised) >= promised) return;
  unchecked_left = 0;
  // Pages that were promised before, but that nobody has written to, are available still.
  for (std::size_t i = first_page; i < pages_.size(); ++i) {
    bytes += is_writable(i) ? page_bytes_ : 0;
  }
  const runtime::AvailableMemory available = runtime::available_memory();
  const std::uint64_t reserved = runtime::huge_page_state().free * runtime::kHugePage;
  if (bytes <= available.bytes || bytes - available.bytes <= reserved) {
    const std::uint64_t left = available.bytes + reserved - bytes;
    unchecked_left = static_cast<std::int64_t>(std::min(kUncheckedBytes, left));
    return;
  }
  throw std::runtime_error(fmt::format(
      "the cache of so many tokens needs {:.3f} GB more, but {:.3f} GB are available ({}); "
      "--kv-cache int8 needs less",
      static_cast<double>(bytes) / 1e9, static_cast<double>(available.bytes + reserved) / 1e9,
      available.limit));
}

void KvCache::reserve(std::int32_t begin, std::int32_t end) {
  const auto first = static_cast<std::size_t>(begin / kPageTokens);
  const std::size_t last = pages_of(end);
  require_memory(first, last);
  for (std::size_t i = first; i < last; ++i) {
    if (is_writable(i)) continue;
    auto page = new_page(i);
    if (i == pages_.size()) {
      pages_.push_back(std::move(page));
      continue;
    }
    if (begin > static_cast<std::int32_t>(i) * kPageTokens) {
      std::memcpy(page->data(), pages_[i]->data(), page_bytes_);
    }
    pages_[i] = std::move(page);
  }
}

void KvCache::truncate(std::int32_t end) {
  if (pages_of(end) + 1 < pages_.size()) pages_.resize(pages_of(end) + 1);
}

void KvCache::copy_layer(int page, int layer, std::int32_t n_tokens, std::byte* to) const {
  constexpr std::size_t kSlotBytes = 4;  // a key's part of a tile's line, in every format
  const auto n = static_cast<std::size_t>(n_tokens);
  std::memcpy(to, this->layer(page, layer).data(), layer_bytes_);
  std::memset(to + n * row_bytes_, 0, (kPageTokens - n) * row_bytes_);
  std::byte* const tiles = to + kPageTokens * row_bytes_;
  std::byte* const tiles_end = to + layer_bytes_;
  std::byte* const first =
      tiles + n / simd::kTileRows * tile_bytes_;  // the tile with a part of both
  std::byte* const first_end = std::min(first + tile_bytes_, tiles_end);
  const std::size_t kept = n % simd::kTileRows * kSlotBytes;
  for (std::byte* line = first; line < first_end; line += simd::kLine) {
    std::memset(line + kept, 0, simd::kLine - kept);
  }
  std::memset(first_end, 0, static_cast<std::size_t>(tiles_end - first_end));
}

}  // namespace leyden::model
