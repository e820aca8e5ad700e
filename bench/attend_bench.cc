// Attention kernels at DeepSeek-V3.2's sizes on one core, every level: sparse absorbed attention of
// one token over 2048 chosen rows that lie anywhere in a cache in memory, and decompressed
// attention of a chunk of queries over one chunk of keys, all of which they see, or some. Beside
// them what the core multiplies (integers, or floats for the f32 forms) and reads at most, measured
// before and after each entry (hosts drift).
//   attend_bench --benchmark_filter='absorbed/int8/avx512vnni'

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "simd/kernels.h"
#include "src/runtime/index.h"
#include "src/runtime/memory.h"

namespace leyden {
namespace {

constexpr int kHeads = 128, kLatent = 512, kRope = 64, kNope = 128, kValue = 128;
constexpr std::size_t kCacheBytes = std::size_t{512} << 20;

/// Plausible values: bell-shaped, the same for every run.
class Values {
 public:
  float next() {
    float sum = -2.0f;
    for (int i = 0; i < 4; ++i) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      sum += static_cast<float>(state_ >> 40) * 0x1p-24f;
    }
    return sum;
  }
  std::uint64_t below(std::uint64_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % n;
  }
  void fill(runtime::Array<float>& x, float scale) {
    for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = scale * next();
  }

 private:
  std::uint64_t state_ = 1;
};

const runtime::NodeBuffers& cache_memory() {
  static const runtime::NodeBuffers memory(team_of(1).crew(), kCacheBytes);
  return memory;
}

/// One core's limits.
Limits limits_of(const simd::Kernels& kernels, bool is_integer) {
  return {team_of(1), kernels, cache_memory(), is_integer};
}

/// Queries as a kernel wants them, and the bytes from one to the next.
struct Queries {
  runtime::Array<std::byte> rows;
  std::ptrdiff_t stride_bytes;
};

Queries make_queries(const simd::Kernels& k, bool is_fixed, int n, int n_first, int n_second,
                     float scale, Values& values) {
  const std::size_t width = index(n_first) + index(n_second);
  const std::size_t bytes = is_fixed ? simd::fixed_query_bytes(n_first, n_second) : 4 * width;
  Queries queries = {runtime::Array<std::byte>(index(n) * bytes),
                     static_cast<std::ptrdiff_t>(bytes)};
  runtime::Array<float> x(width);
  for (int i = 0; i < n; ++i) {
    values.fill(x, scale);
    std::byte* const row = queries.rows.data() + i * queries.stride_bytes;
    if (is_fixed) {
      k.fix_query(x.data(), n_first, n_second, row);
    } else {
      std::memcpy(row, x.data(), bytes);
    }
  }
  return queries;
}

struct RowFormat {
  const char* name;
  simd::KvFormat format;
  simd::KvStoreFn* simd::Kernels::*store;
  simd::LatentAttendFn* simd::Kernels::*attend;
};
constexpr RowFormat kFormats[] = {
    {"f32", simd::KvFormat::kF32, &simd::Kernels::kv_store_f32, &simd::Kernels::latent_attend_f32},
    {"bf16", simd::KvFormat::kBf16, &simd::Kernels::kv_store_bf16,
     &simd::Kernels::latent_attend_bf16},
    {"int8", simd::KvFormat::kInt8, &simd::Kernels::kv_store_int8,
     &simd::Kernels::latent_attend_int8},
};

/// One token: n_heads heads, n_chosen rows in ascending order out of the whole cache, other ones
/// each time, gathered from memory; chunks merged as the model does.
void run_absorbed(benchmark::State& state, simd::Isa isa, const RowFormat& format, int n_heads,
                  int n_chosen) {
  const simd::Kernels& k = simd::kernels(isa);
  const std::size_t row_bytes = simd::kv_row_bytes(format.format, kLatent, kRope);
  const std::size_t n_rows = kCacheBytes / row_bytes;
  std::byte* const cache = cache_memory().on(0);
  Values values;
  const Queries queries = make_queries(k, format.format != simd::KvFormat::kF32, n_heads, kLatent,
                                       kRope, 0.05f, values);
  runtime::Array<float> x(kLatent + kRope);
  for (std::size_t i = 0; i < n_rows; ++i) {
    if (i < 1024) {
      values.fill(x, 1.0f);
      (k.*format.store)(x.data(), x.data() + kLatent, kLatent, kRope, cache + i * row_bytes);
    } else {
      std::memcpy(cache + i * row_bytes, cache + values.below(1024) * row_bytes, row_bytes);
    }
  }
  runtime::Array<float> max(2 * index(n_heads)), sum(2 * index(n_heads)),
      out(2 * index(n_heads) * kLatent);
  runtime::Array<std::byte> scratch(simd::latent_attend_scratch_bytes(n_heads, kLatent, kRope));
  std::vector<const std::byte*> rows(index(n_chosen));

  Limits limits = limits_of(k, format.format != simd::KvFormat::kF32);
  limits.measure();
  double seconds = 0;
  for (auto _ : state) {
    // Ascending and irregular: one row out of each run of n_rows / n_chosen.
    const std::size_t stride = n_rows / rows.size();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = cache + (i * stride + values.below(stride)) * row_bytes;
    }
    const Clock::time_point start = Clock::now();
    for (int first = 0; first < n_chosen; first += simd::kKeyChunk) {
      const std::ptrdiff_t at = first == 0 ? 0 : 1;
      simd::LatentAttendArgs args;
      args.n_queries = n_heads;
      args.n_keys = std::min(simd::kKeyChunk, n_chosen - first);
      args.kv_lora_rank = kLatent;
      args.rope_dim = kRope;
      args.query = queries.rows.data();
      args.query_stride_bytes = queries.stride_bytes;
      args.rows = rows.data() + first;
      args.next_rows = args.rows + args.n_keys;
      args.n_next_rows = std::min(simd::kKeyChunk, n_chosen - first - args.n_keys);
      args.partial = {max.data() + at * n_heads, sum.data() + at * n_heads,
                      out.data() + at * n_heads * kLatent, kLatent};
      args.scratch = scratch.data();
      (k.*format.attend)(args);
      for (int h = 0; at == 1 && h < n_heads; ++h) {
        k.attend_merge(max.data() + h, sum.data() + h, out.data() + std::ptrdiff_t{h} * kLatent,
                       max.data()[n_heads + h], sum.data()[n_heads + h],
                       out.data() + std::ptrdiff_t{n_heads + h} * kLatent, kLatent);
      }
    }
    const double once = seconds_since(start);
    seconds += once;
    state.SetIterationTime(once);
  }
  limits.measure();
  limits.report(state, seconds / static_cast<double>(state.iterations()),
                static_cast<double>(n_chosen) * static_cast<double>(row_bytes),
                static_cast<double>(n_heads) * n_chosen * (2 * kLatent + kRope));
}

/// One head: n_queries queries that see all of one chunk of keys, or of every three one.
void run_dense(benchmark::State& state, simd::Isa isa, simd::AttendFn* simd::Kernels::*attend,
               bool is_integer, int n_queries, bool has_choice) {
  const simd::Kernels& k = simd::kernels(isa);
  constexpr int kKey = kNope + kRope, kKeys = simd::kKeyChunk;
  Values values;
  const Queries queries = make_queries(k, is_integer, n_queries, kKey, 0, 0.1f, values);
  runtime::Array<float> key(kKeys * kKey), value(kKeys * kValue);
  values.fill(key, 1.0f);
  values.fill(value, 1.0f);
  runtime::Array<float> max(index(n_queries)), sum(index(n_queries)),
      out(index(n_queries) * kValue);
  runtime::Array<std::byte> scratch(simd::attend_scratch_bytes(n_queries, kKey, kValue));
  simd::AttendArgs args;
  args.n_queries = n_queries;
  args.n_keys = kKeys;
  args.key_dim = kKey;
  args.value_dim = kValue;
  args.query = queries.rows.data();
  args.query_stride_bytes = queries.stride_bytes;
  args.key = key.data();
  args.key_stride = kKey;
  args.value = value.data();
  args.value_stride = kValue;
  std::vector<std::uint32_t> chosen(index(n_queries) * simd::kChoiceWords);
  for (std::size_t i = 0; i < chosen.size() * 32; ++i) {
    if (values.below(3) == 0) chosen[i / 32] |= std::uint32_t{1} << i % 32;
  }
  if (has_choice) args.choice = {chosen.data(), simd::kChoiceWords};
  args.partial = {max.data(), sum.data(), out.data(), kValue};
  args.scratch = scratch.data();

  Limits limits = limits_of(k, is_integer);
  limits.measure();
  const Clock::time_point start = Clock::now();
  for (auto _ : state) (k.*attend)(args);
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, double{kKeys} * (kKey + kValue) * sizeof(float),
                double{kKeys} * n_queries * (kKey + kValue));
}

void register_all() {
  for (const simd::Isa isa : simd::available_isas()) {
    if (isa == simd::Isa::kScalar) continue;
    const std::string level(simd::name(isa));
    for (const RowFormat& format : kFormats) {
      // Fewer heads: what is shared by the heads of a call costs each of them more.
      for (const int n_heads : {kHeads, 32, 16, 8}) {
        std::string name = "absorbed/" + std::string(format.name) + "/" + level;
        if (n_heads != kHeads) name += "/heads:" + std::to_string(n_heads);
        benchmark::RegisterBenchmark(
            name.c_str(),
            [=](benchmark::State& state) { run_absorbed(state, isa, format, n_heads, 2048); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
    benchmark::RegisterBenchmark(("dense/f32/" + level).c_str(), [=](benchmark::State& state) {
      run_dense(state, isa, &simd::Kernels::attend, false, 512, false);
    })->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("dense/int16/" + level).c_str(), [=](benchmark::State& state) {
      run_dense(state, isa, &simd::Kernels::attend_int16, true, 512, false);
    })->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("chosen/int16/" + level).c_str(), [=](benchmark::State& state) {
      run_dense(state, isa, &simd::Kernels::attend_int16, true, 512, true);
    })->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  leyden::register_all();
  return leyden::run_benchmarks(argc, argv);
}
