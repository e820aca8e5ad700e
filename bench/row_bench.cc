// What happens to rows of activations between the matrix products, at DeepSeek-V3.2's widths, on
// one thread: norms, quantization, SwiGLU, sums, routing. Rows lie in the second-level cache, as
// they do between two products of a decoded token; GB/s counts what is read and written, and the
// limit is plain reading of as much memory as a second-level cache holds, measured before each
// entry.
//   row_bench --benchmark_filter='avx512vnni/'

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "simd/kernels.h"
#include "src/model/router.h"
#include "src/runtime/memory.h"

namespace leyden {
namespace {

constexpr std::size_t kCacheBytes = std::size_t{256} << 10;
constexpr int kHidden = 7168;
constexpr int kExpertWidth = 2048;
constexpr int kMixed = 128 * 128;  // what attention gives to the output projection
constexpr int kExperts = 256;

/// Bytes a second that a level reads from the cache.
double cache_rate(const simd::Kernels& kernels) {
  static const runtime::Array<std::byte> memory(kCacheBytes);
  constexpr int kPasses = 2000;
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const Clock::time_point start = Clock::now();
    for (int pass = 0; pass < kPasses; ++pass) {
      benchmark::DoNotOptimize(kernels.read_all(memory.data(), kCacheBytes));
    }
    const double seconds = seconds_since(start);
    best = std::max(best, kPasses * static_cast<double>(kCacheBytes) / seconds);
  }
  return best;
}

/// Rows to work on, and room for results. Values between -18 and 18, different in every row.
struct Rows {
  runtime::Array<float> x{kMixed}, y{kMixed}, z{kMixed};
  runtime::Array<std::int8_t> q{kMixed};
  runtime::Array<float> scale{kMixed / simd::kBlock};
  runtime::Array<std::int32_t> start4{kMixed / simd::kGroup}, start8{kMixed / simd::kGroup};

  simd::PanelRow quantized() const {
    return {nullptr, nullptr, q.data(), scale.data(), start4.data(), start8.data(), 1};
  }
  Rows() {
    for (std::size_t i = 0; i < kMixed; ++i) {
      x.data()[i] = static_cast<float>(i % 37) - 18.0f;
      y.data()[i] = static_cast<float>(i % 41) / 41.0f;
    }
  }
};

formats::ModelConfig router_config() {
  formats::ModelConfig config;
  config.n_routed_experts = kExperts;
  config.num_experts_per_tok = 8;
  config.n_group = 8;
  config.topk_group = 4;
  config.norm_topk_prob = true;
  config.routed_scaling_factor = 2.5;
  config.scoring_func = formats::ScoringFunc::kSigmoid;
  config.topk_method = formats::TopkMethod::kNoauxTc;
  return config;
}

struct Entry {
  const char* name;
  double bytes;  // read and written
  std::function<void(const simd::Kernels&, Rows&)> run;
};

constexpr double kFloat = sizeof(float);
constexpr double kQuantized = 1 + 4.0 / simd::kBlock + 2 * 4.0 / simd::kGroup;  // bytes a value

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = {
      {"rms_norm_7168", 3 * kFloat * kHidden,
       [](const simd::Kernels& k, Rows& r) {
         k.rms_norm(r.x.data(), r.y.data(), kHidden, 1e-6f, r.z.data());
       }},
      {"quantize_7168", (kFloat + kQuantized) * kHidden,
       [](const simd::Kernels& k, Rows& r) { k.quantize_row(r.x.data(), kHidden, r.quantized()); }},
      {"quantize_16384", (kFloat + kQuantized) * kMixed,
       [](const simd::Kernels& k, Rows& r) { k.quantize_row(r.x.data(), kMixed, r.quantized()); }},
      {"swiglu_2048", 3 * kFloat * kExpertWidth,
       [](const simd::Kernels& k, Rows& r) {
         k.swiglu(r.x.data(), r.y.data(), kExpertWidth, r.z.data());
       }},
      {"add_7168", 3 * kFloat * kHidden,
       [](const simd::Kernels& k, Rows& r) { k.add(r.x.data(), kHidden, r.z.data()); }},
      {"scaled_add_7168", 3 * kFloat * kHidden,
       [](const simd::Kernels& k, Rows& r) {
         k.scaled_add(r.x.data(), 0.25f, kHidden, r.z.data());
       }},
      {"sigmoid_256", 2 * kFloat * kExperts,
       [](const simd::Kernels& k, Rows& r) { k.sigmoid(r.z.data(), kExperts); }},
  };
  return all;
}

void run(benchmark::State& state, simd::Isa isa, const Entry& entry) {
  const simd::Kernels& kernels = simd::kernels(isa);
  Rows rows;
  const double limit = cache_rate(kernels);
  const Clock::time_point start = Clock::now();
  for (auto _ : state) entry.run(kernels, rows);
  const double seconds = seconds_since(start);
  const double rate = static_cast<double>(state.iterations()) * entry.bytes / seconds;
  state.counters["GB/s"] = rate / 1e9;
  state.counters["of_cache_%"] = 100 * rate / limit;
}

/// Choosing 8 of 256 experts in 4 of 8 groups, at the level of the process.
void run_router(benchmark::State& state) {
  const formats::ModelConfig config = router_config();
  std::vector<float> logits(kExperts), given(kExperts), bias(kExperts), scratch(2 * kExperts);
  for (std::size_t e = 0; e < kExperts; ++e) {
    given[e] = static_cast<float>(e * 29 % 101) / 25.0f - 2.0f;
    bias[e] = static_cast<float>(e * 13 % 17) / 100.0f;
  }
  std::vector<model::ExpertChoice> chosen(8);
  for (auto _ : state) {
    std::ranges::copy(given, logits.begin());
    model::route(config, logits, bias.data(), scratch, chosen);
    benchmark::DoNotOptimize(chosen.data());
  }
}

void register_all() {
  for (const simd::Isa isa : simd::available_isas()) {
    for (const Entry& entry : entries()) {
      const std::string name = std::string(simd::name(isa)) + "/" + entry.name;
      benchmark::RegisterBenchmark(
          name.c_str(), [isa, &entry](benchmark::State& state) { run(state, isa, entry); });
    }
  }
  const std::string name = std::string(simd::name(simd::kernels().isa)) + "/route_8_of_256";
  benchmark::RegisterBenchmark(name.c_str(), run_router);
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  leyden::register_all();
  return leyden::run_benchmarks(argc, argv);
}
