#include "src/model/indexer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

constexpr float kLayerNormEps = 1e-6f;
constexpr float kNoFloor = -std::numeric_limits<float>::infinity();

/// Pieces of work per thread where there is enough: a thread that is held up then holds up little.
constexpr int kPiecesPerThread = 4;
/// Queries that a tile of keys is read for at once. Their candidate buffers, 50 KB each at V3.2's
/// size, stay in the second-level cache.
constexpr int kMaxBlock = 4;
/// Scoring last time's choice first costs 4 % of a scan of 65536 keys and a fork-join. With few
/// threads selecting costs less than that (bench/index_bench.cc); with many, each has too few keys
/// to reject any, and one thread has to sort out all of them.
constexpr int kWarmThreads = 16;

}  // namespace

Indexer::Indexer(const formats::ModelConfig& config, simd::IndexFormat format, int max_tokens,
                 const runtime::Crew& crew)
    : config_(&config), format_(format) {
  const std::size_t heads = index(config.index_n_heads);
  queries_.resize(index(max_tokens));
  if (format == simd::IndexFormat::kInt8) {
    q_start_offset_ = q_offset(max_tokens);
    q_ =
        runtime::Exchange(crew, q_start_offset_ + index(max_tokens) * heads * sizeof(std::int32_t));
  }
  selected_ = runtime::Array<std::int32_t>(index(max_tokens) * top_k());
  n_selected_.resize(index(max_tokens));

  block_ = std::clamp(max_tokens / (kPiecesPerThread * crew.size()), 1, kMaxBlock);
  best_.resize(index(crew.size()) * index(block_));
  const std::size_t capacity = index(simd::top_k_capacity(static_cast<std::int32_t>(top_k())));
  candidates_ =
      runtime::Scratch(crew, index(block_) * capacity * (sizeof(float) + sizeof(std::int32_t)));
  for (std::size_t i = 0; i < best_.size(); ++i) {
    const int worker = static_cast<int>(i) / block_;
    auto* const scores = reinterpret_cast<float*>(candidates_.of(worker));
    auto* const positions = reinterpret_cast<std::int32_t*>(scores + index(block_) * capacity);
    const std::size_t at = i % index(block_) * capacity;
    best_[i] = {scores + at, positions + at, static_cast<std::int32_t>(capacity)};
  }
  last_choice_ = runtime::Array<std::int32_t>(index(config.num_hidden_layers) * top_k());
  n_last_choice_.resize(index(config.num_hidden_layers));
  last_choice_scores_ = runtime::Array<float>(top_k());
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
    auto* const codes = reinterpret_cast<std::int8_t*>(q_.data() + q_offset(t));
    auto* const starts = reinterpret_cast<std::int32_t*>(q_.data() + q_start_offset_) + t * heads;
    k.index_quantize_query(q, heads, dim, codes, starts, head_weights);
    query.q = codes;
    query.q_start = starts;
  }
}

std::size_t Indexer::q_offset(int t) const {
  return index(t) * index(config_->index_n_heads) * index(config_->index_head_dim);
}

/// The query of chunk token t for a thread of a node. One for int8 keys lies in the node's memory;
/// the other formats are for comparison.
simd::IndexQuery Indexer::query_on(int node, int t) const {
  simd::IndexQuery query = queries_[index(t)];
  if (query.q == nullptr) return query;
  const std::size_t q = q_offset(t), q_bytes = q_offset(1);
  const std::size_t heads = index(query.n_heads) * sizeof(std::int32_t);
  const std::size_t start = q_start_offset_ + index(t) * heads;
  if (q_.source(node, q, q_bytes) != node || q_.source(node, start, heads) != node) return query;
  query.q = reinterpret_cast<const std::int8_t*>(q_.on(node) + q);
  query.q_start = reinterpret_cast<const std::int32_t*>(q_.on(node) + start);
  return query;
}

/// Offers keys [begin, end) to n_queries queries, the first of which is `query`, the i-th seeing
/// those below ends[i]. The thread will probably scan those from `next` on afterwards, null if
/// none.
void Indexer::scan(const KvCache& cache, int layer, std::int32_t begin, std::int32_t end,
                   const std::byte* next, const simd::IndexQuery& query, const std::int32_t* ends,
                   int n_queries, simd::TopK* best) const {
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
    args.query = query;
    args.best = best;
    args.n_queries = n_queries;
    args.end = ends;
    args.next = page_end < end ? cache.index_tile(layer, page_end) : next;
    scan(args);
    begin = page_end;
  }
}

/// The smallest score of index_topk keys, those that the layer's token before chose: the k-th best
/// of all is no smaller. -infinity where that isn't known or isn't worth its time.
float Indexer::warm_floor(runtime::ThreadTeam& team, const KvCache& cache, int layer, int t,
                          std::int32_t n_keys) {
  const std::int32_t n = n_last_choice_[index(layer)];
  const std::int32_t* const position = last_choice_.data() + index(layer) * top_k();
  if (team.size() < kWarmThreads || n < config_->index_topk || position[n - 1] >= n_keys) {
    return kNoFloor;
  }
  const simd::Kernels& k = simd::kernels();
  const auto score = format_ == simd::IndexFormat::kF32    ? k.index_score_f32
                     : format_ == simd::IndexFormat::kBf16 ? k.index_score_bf16
                                                           : k.index_score_int8;
  constexpr std::int32_t kPerPiece = 64;
  team.run((n + kPerPiece - 1) / kPerPiece, [&](int piece, int worker) {
    const std::int32_t first = piece * kPerPiece;
    std::array<const std::byte*, kPerPiece> tile = {};
    simd::IndexScoreArgs args;
    args.n_keys = std::min(kPerPiece, n - first);
    for (std::int32_t i = 0; i < args.n_keys; ++i) {
      tile[index(i)] = cache.index_tile(layer, position[first + i]);
    }
    args.tile = tile.data();
    args.position = position + first;
    args.query = query_on(team.node_of(worker), t);
    args.score = last_choice_scores_.data() + first;
    score(args);
  });
  float floor = std::numeric_limits<float>::infinity();
  for (const float x : last_choice_scores_.span()) {
    if (std::isnan(x)) return kNoFloor;
    floor = std::min(floor, x);
  }
  return floor;
}

/// One query, its keys divided among the threads.
void Indexer::select_alone(runtime::ThreadTeam& team, const KvCache& cache, int layer, int t,
                           std::int32_t n_keys) {
  const float floor = warm_floor(team, cache, layer, t, n_keys);
  for (simd::TopK& best : best_) simd::top_k_reset(best, config_->index_topk, floor);
  // Whole pages, several to a piece, but enough pieces for every thread.
  const std::int32_t n_pages = (n_keys + KvCache::kPageTokens - 1) / KvCache::kPageTokens;
  const std::int32_t pages_per_piece = std::clamp(n_pages / (kPiecesPerThread * team.size()), 1, 4);
  const std::int32_t keys_per_piece = pages_per_piece * KvCache::kPageTokens;
  const auto scan_piece = [&](int piece, int worker) {
    const std::int32_t begin = piece * keys_per_piece;
    const std::int32_t next = begin + team.size() * keys_per_piece;
    scan(cache, layer, begin, std::min(begin + keys_per_piece, n_keys),
         next < n_keys ? cache.index_tile(layer, next) : nullptr, query_on(team.node_of(worker), t),
         nullptr, 1, &best_[index(worker) * index(block_)]);
  };
  team.run((n_keys + keys_per_piece - 1) / keys_per_piece, scan_piece,
           [&](int piece) { return cache.node_of(piece * keys_per_piece); });
  simd::TopK& all = best_[0];
  for (const simd::TopK& best : best_) simd::top_k_raise(all, best.threshold);
  for (std::size_t i = 1; i < best_.size(); ++i) simd::kernels().top_k_merge(all, best_[i]);
  choose(all, t, n_keys - 1);
}

/// Some consecutive queries by one thread, which reads every key once for all of them.
void Indexer::select_block(const KvCache& cache, int layer, int begin, int end,
                           std::int32_t first_position, simd::TopK* best) {
  std::array<std::int32_t, kMaxBlock> ends = {};
  const int n = end - begin;
  for (int i = 0; i < n; ++i) {
    ends[index(i)] = first_position + begin + i + 1;
    simd::top_k_reset(best[i], config_->index_topk, kNoFloor);
  }
  scan(cache, layer, 0, first_position + end, nullptr, queries_[index(begin)], ends.data(), n,
       best);
  for (int i = 0; i < n; ++i) choose(best[i], begin + i, first_position + begin + i);
}

void Indexer::choose(simd::TopK& best, int t, std::int32_t position) {
  std::int32_t* const chosen = selected_.data() + index(t) * top_k();
  std::int32_t n = simd::top_k_positions(best, chosen);
  if (n == 0) chosen[n++] = position;  // every score is NaN: weights that overflow
  n_selected_[index(t)] = n;
}

void Indexer::select(runtime::ThreadTeam& team, const KvCache& cache, int layer, int begin, int end,
                     std::int32_t first_position) {
  const int n = end - begin;
  if (n < team.size()) {
    q_.begin(q_.bytes());
    for (int t = begin; t < end; ++t) {
      select_alone(team, cache, layer, t, first_position + t + 1);
    }
  } else {
    const int block = std::clamp(n / (kPiecesPerThread * team.size()), 1, block_);
    team.run((n + block - 1) / block, [&](int piece, int worker) {
      const int first = begin + piece * block;
      select_block(cache, layer, first, std::min(first + block, end), first_position,
                   &best_[index(worker) * index(block_)]);
    });
  }
  if (team.size() < kWarmThreads) return;  // nobody will ask for what was chosen last
  const std::span<const std::int32_t> last = selection(end - 1);
  std::ranges::copy(last, last_choice_.data() + index(layer) * top_k());
  n_last_choice_[index(layer)] = static_cast<std::int32_t>(last.size());
}

}  // namespace leyden::model
