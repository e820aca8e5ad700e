// The lightning indexer at DeepSeek-V3.2's shape (64 heads of 128, top 2048), beside what the
// machine multiplies and reads at most, measured before and after each entry (hosts drift). Teams
// are bound to cores; on several nodes pages of keys go to them in turn, as leyden's cache.
//   score/...   the scan alone: no key reaches the threshold. 1 layer (8.6 MB of int8) lies in the
//               last-level cache, 16 layers don't, unless many cores' caches hold 138 MB.
//   chosen/...  the scores of 2048 keys that lie anywhere among 65536, those that the token before
//               chose; one thread.
//   select/...  what a decoded token does per layer: Indexer::select, for keys whose scores come in
//               some order; over_score_% is what it takes beyond the scan alone. Of the level that
//               LEYDEN_ISA names.
//   prefill/... the same for 512 queries at once, per query.
//   merge/...   what remains for one thread when many have scanned; GB/s counts the candidates.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "src/model/indexer.h"
#include "src/model/synthetic.h"
#include "src/runtime/memory.h"

namespace leyden::model {
namespace {

constexpr int kHeads = 64, kDim = 128;
constexpr std::int32_t kKeys = 65536;
constexpr double kMacsPerQuery = double{kHeads} * kDim * kKeys;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A team's limits for products with keys of a format.
Limits limits_of(runtime::ThreadTeam& team, const simd::Kernels& kernels,
                 simd::IndexFormat format) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  return {team, kernels, memory_of(team, kBytes, 0x0101010101010101),
          format == simd::IndexFormat::kInt8};
}

formats::ModelConfig config_of(int layers) { return synthetic_config("v3.2", layers, 0); }

std::vector<float> noise(std::size_t n, unsigned seed) {
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
void scan_layer(runtime::ThreadTeam& team, const KvCache& cache, int layer, simd::IndexScanFn* scan,
                const simd::IndexQuery& query) {
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

void score(benchmark::State& state, simd::Isa isa, simd::IndexFormat format, int layers,
           int n_threads) {
  const simd::Kernels& k = simd::kernels(isa);
  runtime::ThreadTeam& team = team_of(n_threads);
  const runtime::ThreadBinding bound = team.bind_caller();
  Keys keys(format, layers, team.crew());
  keys.fill_with_noise();
  const Query query;
  const auto scan = format == simd::IndexFormat::kInt8   ? k.index_scan_int8
                    : format == simd::IndexFormat::kBf16 ? k.index_scan_bf16
                                                         : k.index_scan_f32;
  Limits limits = limits_of(team, k, format);
  limits.measure();
  int layer = 0;
  const Clock::time_point start = Clock::now();
  for (auto _ : state) {
    scan_layer(team, keys.cache(), layer, scan, query.view());
    layer = (layer + 1) % layers;
  }
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, static_cast<double>(keys.cache().index_bytes()) * kKeys,
                kMacsPerQuery);
}

void score_chosen(benchmark::State& state, simd::Isa isa, simd::IndexFormat format) {
  constexpr std::int32_t kChosen = 2048;
  const simd::Kernels& k = simd::kernels(isa);
  runtime::ThreadTeam& team = team_of(1);
  const runtime::ThreadBinding bound = team.bind_caller();
  Keys keys(format, 1, team.crew());
  keys.fill_with_noise();
  const Query query;
  std::vector<std::int32_t> position(kChosen);
  std::vector<const std::byte*> tile(kChosen);
  std::mt19937 rng(3);
  for (std::int32_t i = 0; i < kChosen; ++i) {  // ascending and irregular
    constexpr std::int32_t kStride = kKeys / kChosen;
    const std::int32_t p = i * kStride + static_cast<std::int32_t>(rng() % kStride);
    position[static_cast<std::size_t>(i)] = p;
    tile[static_cast<std::size_t>(i)] = keys.cache().index_tile(0, p);
  }
  std::vector<float> scores(kChosen);
  simd::IndexScoreArgs args;
  args.tile = tile.data();
  args.position = position.data();
  args.n_keys = kChosen;
  args.query = query.view();
  args.score = scores.data();
  const auto score = format == simd::IndexFormat::kInt8   ? k.index_score_int8
                     : format == simd::IndexFormat::kBf16 ? k.index_score_bf16
                                                          : k.index_score_f32;
  Limits limits = limits_of(team, k, format);
  limits.measure();
  const Clock::time_point start = Clock::now();
  for (auto _ : state) score(args);
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, static_cast<double>(keys.cache().index_bytes()) * kChosen,
                double{kHeads} * kDim * kChosen);
}

enum class Order { kRandom, kAscending, kDescending, kEqual, kDecode };
constexpr std::pair<Order, const char*> kOrders[] = {{Order::kRandom, "random"},
                                                     {Order::kAscending, "ascending"},
                                                     {Order::kDescending, "descending"},
                                                     {Order::kEqual, "equal"},
                                                     {Order::kDecode, "decode"}};

std::vector<float> lengths_in(Order order) {
  std::vector<float> lengths(kKeys);
  std::iota(lengths.begin(), lengths.end(), 1.0f);
  if (order == Order::kDescending) std::reverse(lengths.begin(), lengths.end());
  if (order == Order::kRandom) std::shuffle(lengths.begin(), lengths.end(), std::mt19937(3));
  if (order == Order::kEqual) std::fill(lengths.begin(), lengths.end(), 1.0f);
  return lengths;
}

/// The queries of successive tokens. For keys in an order they stay the same; decoding, they
/// wander: each is 0.95 of the one before and noise.
class Steps {
 public:
  Steps(Order order, const std::vector<float>& direction, std::size_t n_tokens)
      : wanders_(order == Order::kDecode),
        weights_(kHeads, 1.0f),
        q_(n_tokens * kHeads * kDim),
        w_(n_tokens * kHeads) {
    for (int h = 0; h < kHeads; ++h) x_.insert(x_.end(), direction.begin(), direction.end());
    if (wanders_) {
      x_ = noise(x_.size(), 4);
      weights_ = noise(kHeads, 5);
    }
  }
  void prepare_next(Indexer& indexer, int t) {
    if (wanders_) {
      const std::vector<float> fresh = noise(x_.size(), seed_++);
      for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = 0.95f * x_[i] + 0.31f * fresh[i];
    }
    const std::vector<float> zeros(32), ones(32, 1.0f);  // angles of position 0
    float* const q = q_.data() + std::ptrdiff_t{t} * kHeads * kDim;
    float* const w = w_.data() + std::ptrdiff_t{t} * kHeads;
    std::ranges::copy(x_, q);
    std::ranges::copy(weights_, w);
    indexer.prepare_query(t, {ones.data(), zeros.data()}, q, w);
  }

 private:
  bool wanders_;
  std::vector<float> x_, weights_;
  std::vector<float> q_, w_;  // kept until select: [n_tokens, heads, dim], [n_tokens, heads]
  unsigned seed_ = 100;
};

/// select() rotates queries by Hadamard; keys of one direction are rotated here likewise.
std::vector<float> rotated(std::vector<float> x) {
  simd::kernels().hadamard(x.data(), kDim);
  return x;
}

void select(benchmark::State& state, Order order, int n_threads) {
  runtime::ThreadTeam& team = team_of(n_threads);
  const runtime::ThreadBinding bound = team.bind_caller();
  const std::vector<float> direction = noise(kDim, 6);
  Keys keys(simd::IndexFormat::kInt8, 1, team.crew());
  if (order == Order::kDecode) {
    keys.fill_with_noise();
  } else {
    keys.fill(rotated(direction), lengths_in(order));
  }
  Indexer indexer(keys.config(), simd::IndexFormat::kInt8, 1, team.crew());
  Steps steps(order, direction, 1);
  const Query query;
  Limits limits = limits_of(team, simd::kernels(), simd::IndexFormat::kInt8);
  limits.measure();
  double scan_seconds = 0, select_seconds = 0;
  for (auto _ : state) {
    steps.prepare_next(indexer, 0);
    // Meanwhile the other threads fell asleep. A layer that decodes finds them awake, as the timed
    // scan below does.
    scan_layer(team, keys.cache(), 0, simd::kernels().index_scan_int8, query.view());
    Clock::time_point start = Clock::now();
    indexer.select(team, keys.cache(), 0, 0, 1, kKeys - 1);
    const double seconds = seconds_since(start);
    state.SetIterationTime(seconds);
    select_seconds += seconds;
    start = Clock::now();
    scan_layer(team, keys.cache(), 0, simd::kernels().index_scan_int8, query.view());
    scan_seconds += seconds_since(start);
  }
  limits.measure();
  limits.report(state, select_seconds / static_cast<double>(state.iterations()),
                static_cast<double>(keys.cache().index_bytes()) * kKeys, kMacsPerQuery);
  state.counters["score_ms"] = 1e3 * scan_seconds / static_cast<double>(state.iterations());
  state.counters["over_score_%"] = 100 * (select_seconds / scan_seconds - 1);
}

void prefill(benchmark::State& state, int n_threads) {
  constexpr int kQueries = 512;
  runtime::ThreadTeam& team = team_of(n_threads);
  const runtime::ThreadBinding bound = team.bind_caller();
  Keys keys(simd::IndexFormat::kInt8, 1, team.crew());
  keys.fill_with_noise();
  Indexer indexer(keys.config(), simd::IndexFormat::kInt8, kQueries, team.crew());
  Steps steps(Order::kDecode, noise(kDim, 6), kQueries);
  for (int t = 0; t < kQueries; ++t) steps.prepare_next(indexer, t);
  Limits limits = limits_of(team, simd::kernels(), simd::IndexFormat::kInt8);
  limits.measure();
  const Clock::time_point start = Clock::now();
  for (auto _ : state) {
    indexer.select(team, keys.cache(), 0, 0, kQueries, kKeys - kQueries);
  }
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  constexpr double kMeanKeys = kKeys - (kQueries - 1) / 2.0;
  limits.measure();
  limits.report(state, seconds, 0, kQueries * kMeanKeys * kHeads * kDim);
  state.counters["ms_per_query"] = 1e3 * seconds / kQueries;
}

/// What one thread does after many have scanned: their buffers merged and the choice put in order.
/// cold: nobody could fill a buffer, so every key is a candidate. warm: with the floor that scoring
/// the choice of a token before gives, when the scores of both correlate by 0.95.
void merge(benchmark::State& state, int n_threads, bool warm) {
  constexpr int kTopK = 2048;
  const std::vector<float> before = noise(kKeys, 8), fresh = noise(kKeys, 9);
  std::vector<float> now(kKeys);
  for (std::size_t i = 0; i < now.size(); ++i) now[i] = 0.95f * before[i] + 0.31f * fresh[i];
  std::vector<std::int32_t> order(kKeys);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::partial_sort(order, order.begin() + kTopK, std::greater(),
                            [&](std::int32_t i) { return before[static_cast<std::size_t>(i)]; });
  float floor = warm ? kInfinity : -kInfinity;
  for (int i = 0; i < kTopK && warm; ++i) {
    floor = std::min(floor, now[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);
  }
  const std::int32_t capacity = simd::top_k_capacity(kTopK), share = kKeys / n_threads;
  const auto n_buffers = static_cast<std::size_t>(n_threads) + 1;
  std::vector<float> scores(n_buffers * static_cast<std::size_t>(capacity));
  std::vector<std::int32_t> positions(scores.size()), out(kTopK);
  std::vector<simd::TopK> best(n_buffers);
  std::int64_t n_candidates = 0;
  for (std::size_t i = 0; i < n_buffers; ++i) {
    const std::size_t at = i * static_cast<std::size_t>(capacity);
    best[i] = {scores.data() + at, positions.data() + at, capacity};
    simd::top_k_reset(best[i], kTopK, floor);
    if (i == 0) continue;
    const std::int32_t first = static_cast<std::int32_t>(i - 1) * share;
    for (std::int32_t p = first; p < first + share; ++p) {
      simd::top_k_push(best[i], now[static_cast<std::size_t>(p)], p);
    }
    n_candidates += best[i].count;
  }
  const double bytes = static_cast<double>(n_candidates) * (sizeof(float) + sizeof(std::int32_t));
  run_in_cache(state, simd::kernels(), bytes, [&] {
    simd::top_k_reset(best[0], kTopK, floor);
    for (std::size_t i = 1; i < n_buffers; ++i) simd::kernels().top_k_merge(best[0], best[i]);
    benchmark::DoNotOptimize(simd::top_k_positions(best[0], out.data()));
  });
  state.counters["candidates"] = static_cast<double>(n_candidates);
}

void register_all() {
  using benchmark::RegisterBenchmark;
  using simd::IndexFormat;
  const auto threads = [](int n) { return "/threads:" + std::to_string(n); };
  constexpr std::pair<IndexFormat, const char*> kFormats[] = {
      {IndexFormat::kInt8, "int8"}, {IndexFormat::kBf16, "bf16"}, {IndexFormat::kF32, "f32"}};
  for (const auto& [format, format_name] : kFormats) {
    for (const simd::Isa isa : simd::available_isas()) {
      if (isa == simd::Isa::kScalar) continue;
      const std::string chosen =
          std::string("chosen/") + format_name + "/" + std::string(simd::name(isa));
      RegisterBenchmark(chosen.c_str(),
                        [=](benchmark::State& state) { score_chosen(state, isa, format); });
      for (const int layers : {1, 16}) {
        for (const int n : thread_counts()) {
          const std::string name = std::string("score/") + format_name + "/" +
                                   std::string(simd::name(isa)) +
                                   "/layers:" + std::to_string(layers) + threads(n);
          RegisterBenchmark(name.c_str(),
                            [=](benchmark::State& state) { score(state, isa, format, layers, n); })
              ->UseRealTime()
              ->Iterations(format == IndexFormat::kInt8 ? 200 : 30);
        }
      }
    }
  }
  for (const int n : {8, 64}) {
    for (const bool warm : {false, true}) {
      const std::string name = std::string("merge/") + (warm ? "warm" : "cold") + threads(n);
      RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { merge(state, n, warm); })
          ->Iterations(300)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  for (const int n : thread_counts()) {
    for (const auto& [order, name] : kOrders) {
      RegisterBenchmark((std::string("select/") + name + threads(n)).c_str(),
                        [=](benchmark::State& state) { select(state, order, n); })
          ->UseManualTime()
          ->Iterations(100);
    }
    RegisterBenchmark(("prefill" + threads(n)).c_str(),
                      [=](benchmark::State& state) { prefill(state, n); })
        ->UseRealTime()
        ->Iterations(3);
  }
}

}  // namespace
}  // namespace leyden::model

int main(int argc, char** argv) {
  leyden::model::register_all();
  return leyden::run_benchmarks(argc, argv);
}
