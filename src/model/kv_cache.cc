#include "src/model/kv_cache.h"

namespace leyden::model {

KvCache::KvCache(const formats::ModelConfig& config, CacheFormats formats)
    : formats_(formats),
      row_bytes_(simd::kv_row_bytes(formats.kv, config.kv_lora_rank, config.qk_rope_head_dim)),
      tile_bytes_(
          config.has_indexer() ? simd::index_tile_bytes(formats.index, config.index_head_dim) : 0),
      layer_bytes_(kPageTokens * row_bytes_ + kPageTokens / 16 * tile_bytes_),
      page_bytes_(layer_bytes_ * static_cast<std::size_t>(config.num_hidden_layers)) {}

void KvCache::reserve(std::int32_t n_tokens) {
  const auto needed = static_cast<std::size_t>((n_tokens + kPageTokens - 1) / kPageTokens);
  while (pages_.size() < needed) pages_.push_back(std::make_shared<runtime::Memory>(page_bytes_));
}

}  // namespace leyden::model
