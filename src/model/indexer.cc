#include "src/model/indexer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace leyden::model {
namespace {

constexpr float kLayerNormEps = 1e-6f;
constexpr float kNoFloor = -std::numeric_limits<float>::infinity();

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Indexer::Indexer(const formats::ModelConfig& config, simd::IndexFormat format, int max_tokens,
                 int n_threads)
    : config_(&config), format_(format) {
  const std::size_t heads = index(config.index_n_heads);
  queries_.resize(index(max_tokens));
  if (format == simd::IndexFormat::kInt8) {
    q_ = runtime::Array<std::int8_t>(index(max_tokens) * heads * index(config.index_head_dim));
    q_start_ = runtime::Array<std::int32_t>(index(max_tokens) * heads);
  }
  selected_ = runtime::Array<std::int32_t>(index(max_tokens) * top_k());
  n_selected_.resize(index(max_tokens));

  const std::size_t capacity = index(simd::top_k_capacity(config.index_topk));
  scores_ = runtime::Array<float>(index(n_threads) * capacity);
  positions_ = runtime::Array<std::int32_t>(index(n_threads) * capacity);
  best_.resize(index(n_threads));
  for (std::size_t i = 0; i < best_.size(); ++i) {
    best_[i].score = scores_.data() + i * capacity;
    best_[i].position = positions_.data() + i * capacity;
    best_[i].capacity = static_cast<std::int32_t>(capacity);
  }
}

void Indexer::store_key(const KvCache& cache, int layer, std::int32_t position,
                        const IndexerWeights& w, Angles angles, float* key) const {
  const simd::Kernels& k = simd::kernels();
  const int dim = config_->index_head_dim;
  k.layer_norm(key, w.k_norm, w.k_norm_bias, dim, kLayerNormEps, key);
  const auto rope = config_->indexer_rope_interleave ? k.rope_interleaved : k.rope_half_split;
  rope(key, angles.cos, angles.sin, config_->qk_rope_head_dim);
  k.hadamard(key, dim);
  const auto store = format_ == simd::IndexFormat::kF32    ? k.index_store_f32
                     : format_ == simd::IndexFormat::kBf16 ? k.index_store_bf16
                                                           : k.index_store_int8;
  store(key, dim, cache.index_tile(layer, position), position % 16);
}

void Indexer::prepare_query(int t, Angles angles, float* q, float* head_weights) {
  const simd::Kernels& k = simd::kernels();
  const int heads = config_->index_n_heads, dim = config_->index_head_dim;
  const auto rope = config_->indexer_rope_interleave ? k.rope_interleaved : k.rope_half_split;
  const float constant =
      1.0f / std::sqrt(static_cast<float>(heads)) / std::sqrt(static_cast<float>(dim));
  for (int h = 0; h < heads; ++h) {
    rope(q + h * dim, angles.cos, angles.sin, config_->qk_rope_head_dim);
    k.hadamard(q + h * dim, dim);
    head_weights[h] *= constant;
  }
  simd::IndexQuery& query = queries_[index(t)];
  query = {.n_heads = heads, .dim = dim, .x = q, .weight = head_weights};
  if (format_ == simd::IndexFormat::kInt8) {
    std::int8_t* const codes = q_.data() + index(t) * index(heads) * index(dim);
    std::int32_t* const starts = q_start_.data() + index(t) * index(heads);
    k.index_quantize_query(q, heads, dim, codes, starts, head_weights);
    query.q = codes;
    query.q_start = starts;
  }
}

void Indexer::scan(const KvCache& cache, int layer, std::int32_t begin, std::int32_t end, int t,
                   simd::TopK& best) const {
  const simd::Kernels& k = simd::kernels();
  const auto scan = format_ == simd::IndexFormat::kF32    ? k.index_scan_f32
                    : format_ == simd::IndexFormat::kBf16 ? k.index_scan_bf16
                                                          : k.index_scan_int8;
  while (begin < end) {  // page by page
    const std::int32_t page_end = (begin / KvCache::kPageTokens + 1) * KvCache::kPageTokens;
    simd::IndexScanArgs args;
    args.tiles = cache.index_tile(layer, begin);
    args.n_keys = std::min(end, page_end) - begin;
    args.first_position = begin;
    args.query = queries_[index(t)];
    args.best = &best;
    scan(args);
    begin = page_end;
  }
}

void Indexer::select_alone(runtime::ThreadTeam& team, const KvCache& cache, int layer, int t,
                           std::int32_t n_keys) {
  for (simd::TopK& best : best_) simd::top_k_reset(best, config_->index_topk, kNoFloor);
  // Whole pages, several to a piece, but enough pieces for every thread.
  const std::int32_t n_pages = (n_keys + KvCache::kPageTokens - 1) / KvCache::kPageTokens;
  const std::int32_t pages_per_piece = std::clamp(n_pages / (4 * team.size()), 1, 16);
  const std::int32_t keys_per_piece = pages_per_piece * KvCache::kPageTokens;
  team.run((n_keys + keys_per_piece - 1) / keys_per_piece, [&](int piece, int worker) {
    const std::int32_t begin = piece * keys_per_piece;
    scan(cache, layer, begin, std::min(begin + keys_per_piece, n_keys), t, best_[index(worker)]);
  });
  for (std::size_t i = 1; i < best_.size(); ++i) simd::top_k_merge(best_[0], best_[i]);
  n_selected_[index(t)] = simd::top_k_positions(best_[0], selected_.data() + index(t) * top_k());
}

void Indexer::select(runtime::ThreadTeam& team, const KvCache& cache, int layer, int begin, int end,
                     std::int32_t first_position) {
  if (end - begin < team.size()) {
    for (int t = begin; t < end; ++t) {
      select_alone(team, cache, layer, t, first_position + t + 1);
    }
    return;
  }
  team.run(end - begin, [&](int piece, int worker) {
    const int t = begin + piece;
    simd::TopK& best = best_[index(worker)];
    simd::top_k_reset(best, config_->index_topk, kNoFloor);
    scan(cache, layer, 0, first_position + t + 1, t, best);
    n_selected_[index(t)] = simd::top_k_positions(best, selected_.data() + index(t) * top_k());
  });
}

}  // namespace leyden::model
