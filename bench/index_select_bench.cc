// What chooses among the indexer's scores: the entries select, prefill and merge of index_bench.
#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/index_keys.h"

namespace leyden::model {
namespace {

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

}  // namespace

void register_selection() {
  using benchmark::RegisterBenchmark;
  const auto threads = [](int n) { return "/threads:" + std::to_string(n); };
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

}  // namespace leyden::model
