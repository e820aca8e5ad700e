#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "formats/model_config.h"
#include "simd/kernels.h"
#include "src/runtime/memory.h"

namespace leyden::model {

/// How the cache keeps its rows.
struct CacheFormats {
  simd::KvFormat kv = simd::KvFormat::kBf16;
  simd::IndexFormat index = simd::IndexFormat::kInt8;
};

/// What past tokens left behind, for every layer: latent and rotated key (simd/kv_row.h) and, with
/// an indexer, the index key (simd/index_scan.h). Kept in pages of 256 tokens that hold all layers;
/// growing allocates pages and moves nothing. A copy shares all pages; who writes to a shared page
/// first gets one of its own (reserve).
class KvCache {
 public:
  static constexpr int kPageTokens = 256;
  static constexpr int kRunPages = 4;

  /// nodes: the NUMA nodes (the system's numbers) that pages go to in turn, runs of kRunPages on
  /// each, while they have room; empty: wherever they are first written.
  KvCache(const formats::ModelConfig& config, CacheFormats formats, std::vector<int> nodes = {});

  CacheFormats formats() const { return formats_; }
  int layers() const { return static_cast<int>(page_bytes_ / layer_bytes_); }

  /// Makes positions [begin, end) writable; what is kept of those below `begin` stays.
  /// Throws std::bad_alloc, and std::runtime_error, with nothing changed, if new pages need more
  /// than is available, which is asked for whenever 64 MB have been promised, by whatever cache.
  void reserve(std::int32_t begin, std::int32_t end);
  /// Gives back the pages of positions from `end` on, but the first: going back and forth costs
  /// nothing.
  void truncate(std::int32_t end);
  /// Tokens there are pages for.
  std::int32_t capacity() const { return static_cast<std::int32_t>(pages_.size()) * kPageTokens; }

  std::byte* row(int layer, std::int32_t position) const {
    return layer_of_page(layer, position) +
           static_cast<std::size_t>(position % kPageTokens) * row_bytes_;
  }
  /// The tile that holds the index key of `position`, and the tiles after it up to the page's end.
  std::byte* index_tile(int layer, std::int32_t position) const {
    return layer_of_page(layer, position) + kPageTokens * row_bytes_ +
           static_cast<std::size_t>(position % kPageTokens / 16) * tile_bytes_;
  }

  int n_pages() const { return static_cast<int>(pages_.size()); }
  const runtime::Memory& page(int i) const { return *pages_[static_cast<std::size_t>(i)]; }

  /// The nodes that pages go to in turn, as the system numbers them; empty: wherever they are first
  /// written.
  const std::vector<int>& nodes() const { return nodes_; }

  /// Index of the node that holds a position: who reads it should be there.
  int node_of(std::int32_t position) const {
    return nodes_.empty() ? 0
                          : position / (kRunPages * kPageTokens) % static_cast<int>(nodes_.size());
  }

  /// All that a page keeps of a layer: 256 rows, then the tiles.
  std::span<std::byte> layer(int page, int layer) const {
    return {layer_of_page(layer, page * kPageTokens), layer_bytes_};
  }
  /// Copies that to `to` [layer_bytes()], with zeros for the page's tokens from n_tokens on.
  void copy_layer(int page, int layer, std::int32_t n_tokens, std::byte* to) const;
  std::size_t layer_bytes() const { return layer_bytes_; }

  /// Bytes one page takes.
  std::size_t page_bytes() const { return page_bytes_; }
  /// Bytes of cache per token, all layers.
  std::size_t bytes_per_token() const { return page_bytes_ / kPageTokens; }
  /// Bytes of one latent row and of one token's share of an index tile, for one layer.
  std::size_t row_bytes() const { return row_bytes_; }
  std::size_t index_bytes() const { return tile_bytes_ / 16; }

 private:
  bool is_writable(std::size_t page) const;
  void require_memory(std::size_t first_page, std::size_t end_page) const;
  std::shared_ptr<runtime::Memory> new_page(std::size_t i) const;
  std::byte* layer_of_page(int layer, std::int32_t position) const {
    return pages_[static_cast<std::size_t>(position / kPageTokens)]->data() +
           static_cast<std::size_t>(layer) * layer_bytes_;
  }

  CacheFormats formats_;
  std::size_t row_bytes_, tile_bytes_, layer_bytes_, page_bytes_;
  std::vector<int> nodes_;
  std::vector<std::shared_ptr<runtime::Memory>> pages_;
};

}  // namespace leyden::model
