#pragma once

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "bench/kernel_bench.h"
#include "src/model/indexer.h"
#include "src/model/synthetic.h"

// Keys and queries of the lightning indexer at DeepSeek-V3.2's shape, for the files of index_bench.
namespace leyden::model {

inline constexpr int kHeads = 64, kDim = 128;
inline constexpr std::int32_t kKeys = 65536;
inline constexpr double kMacsPerQuery = double{kHeads} * kDim * kKeys;
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A team's limits for products with keys of a format.
inline Limits limits_of(runtime::ThreadTeam& team, const simd::Kernels& kernels,
                        simd::IndexFormat format) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  return {team, kernels, memory_of(team, kBytes, 0x0101010101010101),
          format == simd::IndexFormat::kInt8};
}

inline formats::ModelConfig config_of(int layers) { return synthetic_config("v3.2", layers, 0); }

inline std::vector<float> noise(std::size_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(rng);
  return x;
}

/// kKeys index keys in every layer: noise, or one direction with given lengths, so that every query
/// of that direction scores them in the lengths' order.
class Keys {
 public:
  Keys(simd::IndexFormat format, int layers, const runtime::Crew& crew)
      : config_(config_of(layers)),
        cache_(config_, {simd::KvFormat::kBf16, format}, crew.nodes_to_share()) {
    cache_.reserve(0, kKeys);
  }

  void fill_with_noise() {
    const std::vector<float> pool = noise(1 << 20, 7);
    for (int layer = 0; layer < cache_.layers(); ++layer) {
      for (std::int32_t p = 0; p < kKeys; ++p) {
        store(layer, p, pool.data() + (p * 151 + layer * 977) % ((1 << 20) - kDim));
      }
    }
  }
  void fill(const std::vector<float>& direction, const std::vector<float>& lengths) {
    std::vector<float> key(kDim);
    for (std::int32_t p = 0; p < kKeys; ++p) {
      for (std::size_t d = 0; d < key.size(); ++d) {
        key[d] = direction[d] * lengths[static_cast<std::size_t>(p)];
      }
      store(0, p, key.data());
    }
  }

  const formats::ModelConfig& config() const { return config_; }
  const KvCache& cache() const { return cache_; }

 private:
  void store(int layer, std::int32_t position, const float* key) {
    const simd::Kernels& k = simd::kernels();
    const simd::IndexFormat format = cache_.formats().index;
    const auto store = format == simd::IndexFormat::kInt8   ? k.index_store_int8
                       : format == simd::IndexFormat::kBf16 ? k.index_store_bf16
                                                            : k.index_store_f32;
    store(key, kDim, cache_.index_tile(layer, position), position % 16);
  }

  formats::ModelConfig config_;
  KvCache cache_;
};

/// A query of the kernels' own form.
struct Query {
  Query() : x(noise(kHeads * kDim, 1)), weight(noise(kHeads, 2)) {
    simd::kernels().index_quantize_query(x.data(), kHeads, kDim, q, q_start, weight.data());
  }
  simd::IndexQuery view() const { return {kHeads, kDim, x.data(), q, q_start, weight.data()}; }

  std::vector<float> x, weight;
  alignas(64) std::int8_t q[kHeads * kDim];
  std::int32_t q_start[kHeads];
};

/// Scores all keys of a layer; none reaches the threshold.
inline void scan_layer(runtime::ThreadTeam& team, const KvCache& cache, int layer,
                       simd::IndexScanFn* scan, const simd::IndexQuery& query) {
  constexpr std::int32_t kPage = KvCache::kPageTokens, kPages = kKeys / kPage;
  const std::int32_t per_piece = std::clamp(kPages / (4 * team.size()), 1, 4);  // as Indexer
  const auto scan_piece = [&](int piece, int) {
    simd::TopK best;
    best.threshold = kInfinity;
    best.capacity = simd::kTopKPush;
    for (int i = 0; i < per_piece; ++i) {
      const bool is_last = i + 1 == per_piece;
      const int page = piece * per_piece + i;
      if (page == kPages) break;
      const int next = is_last ? page + per_piece * (team.size() - 1) + 1 : page + 1;
      simd::IndexScanArgs args;
      args.tiles = cache.index_tile(layer, page * kPage);
      args.n_keys = kPage;
      args.first_position = page * kPage;
      args.query = query;
      args.best = &best;
      args.next = next < kPages ? cache.index_tile(layer, next * kPage) : nullptr;
      scan(args);
    }
  };
  team.run((kPages + per_piece - 1) / per_piece, scan_piece,
           [&](int piece) { return cache.node_of(piece * per_piece * kPage); });
}

/// The entries of index_select_bench.cc.
void register_selection();

}  // namespace leyden::model
