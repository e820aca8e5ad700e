// What happens to rows of activations between the matrix products, at DeepSeek-V3.2's widths, on
// one thread: norms, rotations, quantization, SwiGLU, sums, routing, rows of the cache. Rows lie in
// the second-level cache, as they do between two products of a decoded token; GB/s counts what is
// read and written, and the limit is plain reading of as much memory as a second-level cache holds,
// measured before each entry. Short rows lie in the first-level cache, so theirs may exceed 100 %.
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

constexpr int kHidden = 7168;
constexpr int kExpertWidth = 2048;
constexpr int kMixed = 128 * 128;  // what attention gives to the output projection
constexpr int kExperts = 256;
constexpr int kHeads = 128, kLatent = 512, kRope = 64;
constexpr int kQuery = 128 + kRope;  // of a head
constexpr int kIndexHeads = 64, kIndexDim = 128;

/// Rows to work on, and room for results. Values between -18 and 18, different in every row.
struct Rows {
  static constexpr std::size_t kFloats = std::size_t{kHeads} * kQuery;  // of the longest

  runtime::Array<float> x{kFloats}, y{kFloats}, z{kFloats};
  runtime::Array<float> cos{kRope / 2}, sin{kRope / 2};  // the angles of position 0
  runtime::Array<std::byte> bytes{kFloats};              // codes, cache rows
  runtime::Array<std::int8_t> q{kMixed};
  runtime::Array<float> scale{kMixed / simd::kBlock};
  runtime::Array<std::int32_t> start4{kMixed / simd::kGroup}, start8{kMixed / simd::kGroup};

  simd::PanelRow quantized() const {
    return {nullptr, nullptr, q.data(), scale.data(), start4.data(), start8.data(), 1};
  }
  Rows() {
    for (std::size_t i = 0; i < kFloats; ++i) {
      x.data()[i] = static_cast<float>(i % 37) - 18.0f;
      y.data()[i] = static_cast<float>(i % 41) / 41.0f;
      bytes.data()[i] = static_cast<std::byte>(i % 251);
    }
    std::ranges::fill(cos.span(), 1.0f);
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
  std::string name;
  double bytes;  // read and written
  std::function<void(const simd::Kernels&, Rows&)> run;
};

constexpr double kFloat = sizeof(float);
constexpr double kQuantized = 1 + 4.0 / simd::kBlock + 2 * 4.0 / simd::kGroup;  // bytes a value

std::vector<Entry> row_entries() {
  return {
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
      {"softmax_256", 2 * kFloat * kExperts,
       [](const simd::Kernels& k, Rows& r) { k.softmax(r.x.data(), kExperts); }},
      {"layer_norm_128", 4 * kFloat * kIndexDim,
       [](const simd::Kernels& k, Rows& r) {
         k.layer_norm(r.x.data(), r.y.data(), r.y.data() + kIndexDim, kIndexDim, 1e-6f, r.z.data());
       }},
      {"rope_interleaved_128x64", kFloat * kRope * (2 * kHeads + 1),
       [](const simd::Kernels& k, Rows& r) {
         for (int h = 0; h < kHeads; ++h) {
           k.rope_interleaved(r.x.data() + (h + 1) * kQuery - kRope, r.cos.data(), r.sin.data(),
                              kRope);
         }
       }},
      {"rope_half_split_64x64", kFloat * kRope * (2 * kIndexHeads + 1),
       [](const simd::Kernels& k, Rows& r) {
         for (int h = 0; h < kIndexHeads; ++h) {
           k.rope_half_split(r.x.data() + h * kIndexDim, r.cos.data(), r.sin.data(), kRope);
         }
       }},
      {"hadamard_64x128", 2 * kFloat * kIndexHeads * kIndexDim,
       [](const simd::Kernels& k, Rows& r) {
         for (int h = 0; h < kIndexHeads; ++h) k.hadamard(r.x.data() + h * kIndexDim, kIndexDim);
       }},
      {"index_quantize_query_64x128", (kFloat + 1) * kIndexHeads * kIndexDim,
       [](const simd::Kernels& k, Rows& r) {
         // The weights are multiplied by the scales: fresh ones, or they would vanish.
         std::copy_n(r.y.data(), kIndexHeads, r.z.data());
         k.index_quantize_query(r.x.data(), kIndexHeads, kIndexDim, r.q.data(), r.start8.data(),
                                r.z.data());
       }},
      {"fix_query_576",
       kFloat * (kLatent + kRope) + static_cast<double>(simd::fixed_query_bytes(kLatent, kRope)),
       [](const simd::Kernels& k, Rows& r) {
         k.fix_query(r.x.data(), kLatent, kRope, r.bytes.data());
       }},
      {"attend_merge_512", 3 * kFloat * kLatent,
       [](const simd::Kernels& k, Rows& r) {
         float max = 0, sum = 1;
         k.attend_merge(&max, &sum, r.z.data(), 0.5f, 1.0f, r.x.data(), kLatent);
       }},
      {"widen_bf16_7168", (2 + kFloat) * kHidden,
       [](const simd::Kernels& k, Rows& r) {
         k.widen_bf16(reinterpret_cast<const std::uint16_t*>(r.bytes.data()), kHidden, r.z.data());
       }},
      // A checkpoint's row, whose blocks of 128 have a scale each.
      {"widen_e4m3_56x128", (1 + kFloat) * kHidden,
       [](const simd::Kernels& k, Rows& r) {
         for (int i = 0; i < kHidden; i += 128) {
           k.widen_e4m3(reinterpret_cast<const std::uint8_t*>(r.bytes.data()) + i, 128, 0.01f,
                        r.z.data() + i);
         }
       }},
  };
}

/// What reads and writes the cache, of every format.
std::vector<Entry> cache_entries() {
  struct KvKernels {
    const char* name;
    simd::KvFormat format;
    simd::KvStoreFn* simd::Kernels::*store;
    simd::KvLoadFn* simd::Kernels::*load;
  };
  struct IndexKernels {
    const char* name;
    simd::IndexFormat format;
    simd::IndexStoreFn* simd::Kernels::*store;
  };
  using simd::Kernels;
  std::vector<Entry> all;
  for (const KvKernels& of :
       {KvKernels{"f32", simd::KvFormat::kF32, &Kernels::kv_store_f32, &Kernels::kv_load_f32},
        KvKernels{"bf16", simd::KvFormat::kBf16, &Kernels::kv_store_bf16, &Kernels::kv_load_bf16},
        KvKernels{"int8", simd::KvFormat::kInt8, &Kernels::kv_store_int8,
                  &Kernels::kv_load_int8}}) {
    const double bytes = kFloat * (kLatent + kRope) +
                         static_cast<double>(simd::kv_row_bytes(of.format, kLatent, kRope));
    all.push_back({"kv_store_" + std::string(of.name) + "_576", bytes,
                   [store = of.store](const Kernels& k, Rows& r) {
                     (k.*store)(r.x.data(), r.x.data() + kLatent, kLatent, kRope, r.bytes.data());
                   }});
    all.push_back({"kv_load_" + std::string(of.name) + "_576", bytes,
                   [load = of.load](const Kernels& k, Rows& r) {
                     (k.*load)(r.bytes.data(), kLatent, kRope, r.z.data());
                   }});
  }
  for (const IndexKernels& of :
       {IndexKernels{"f32", simd::IndexFormat::kF32, &Kernels::index_store_f32},
        IndexKernels{"bf16", simd::IndexFormat::kBf16, &Kernels::index_store_bf16},
        IndexKernels{"int8", simd::IndexFormat::kInt8, &Kernels::index_store_int8}}) {
    // A tile of 16 keys.
    all.push_back({"index_store_" + std::string(of.name) + "_16x128",
                   16 * kFloat * kIndexDim +
                       static_cast<double>(simd::index_tile_bytes(of.format, kIndexDim)),
                   [store = of.store](const Kernels& k, Rows& r) {
                     for (int key = 0; key < 16; ++key) {
                       (k.*store)(r.x.data() + key * kIndexDim, kIndexDim, r.bytes.data(), key);
                     }
                   }});
  }
  return all;
}

void run(benchmark::State& state, simd::Isa isa, const Entry& entry) {
  const simd::Kernels& kernels = simd::kernels(isa);
  Rows rows;
  run_in_cache(state, kernels, entry.bytes, [&] { entry.run(kernels, rows); });
}

/// Choosing 8 of 256 experts in 4 of 8 groups, at the level of the process. Logits and biases are
/// what it reads.
void run_router(benchmark::State& state) {
  const formats::ModelConfig config = router_config();
  std::vector<float> logits(kExperts), given(kExperts), bias(kExperts), scratch(2 * kExperts);
  for (std::size_t e = 0; e < kExperts; ++e) {
    given[e] = static_cast<float>(e * 29 % 101) / 25.0f - 2.0f;
    bias[e] = static_cast<float>(e * 13 % 17) / 100.0f;
  }
  std::vector<model::ExpertChoice> chosen(8);
  run_in_cache(state, simd::kernels(), 2 * kFloat * kExperts, [&] {
    std::ranges::copy(given, logits.begin());
    model::route(config, logits, bias.data(), scratch, chosen);
    benchmark::DoNotOptimize(chosen.data());
  });
}

void register_all() {
  for (const simd::Isa isa : simd::available_isas()) {
    for (const std::vector<Entry>& entries : {row_entries(), cache_entries()}) {
      for (const Entry& entry : entries) {
        const std::string name = std::string(simd::name(isa)) + "/" + entry.name;
        benchmark::RegisterBenchmark(
            name.c_str(), [isa, entry](benchmark::State& state) { run(state, isa, entry); });
      }
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
