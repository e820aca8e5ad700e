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

#include <random>
#include <string>
#include <vector>

#include "bench/index_keys.h"

namespace leyden::model {
namespace {

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
}

}  // namespace
}  // namespace leyden::model

int main(int argc, char** argv) {
  leyden::model::register_all();
  leyden::model::register_selection();
  return leyden::run_benchmarks(argc, argv);
}
