// How fast weights are packed: one thread, per format and ISA level. "weights/s" counts weights,
// which for an FP8 checkpoint are bytes of input; GB/s what is read as f32 and written packed, both
// in the second-level cache.

#include <random>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "quant/levels.h"
#include "quant/weight_format.h"
#include "simd/kernels.h"

namespace leyden {
namespace {

using quant::WeightFormat;
using simd::kBlock;
using simd::kTileRows;

constexpr int kCols = 7168;

std::vector<float> gaussian_rows() {
  std::mt19937 random(1);
  std::normal_distribution<float> draw(0.0f, 0.02f);
  std::vector<float> rows(std::size_t{kTileRows} * kCols);
  for (float& v : rows) v = draw(random);
  return rows;
}

/// Packs a tile of 16 x 7168 weights block by block.
template <typename PackBlock>
void pack(benchmark::State& state, simd::Isa isa, WeightFormat format, PackBlock pack_block) {
  const simd::Kernels& kernels = simd::kernels(isa);
  const std::vector<float> rows = gaussian_rows();
  alignas(64) float columns[kBlock * kTileRows];
  alignas(64) std::byte block[simd::kBlockBytesF32];
  const double bytes = static_cast<double>(rows.size() * sizeof(float) +
                                           kCols / kBlock * quant::block_bytes(format));
  run_in_cache(state, kernels, bytes, [&] {
    for (int c = 0; c < kCols; c += kBlock) {
      kernels.pack_columns(rows.data() + c, kCols, kTileRows, kBlock, columns);
      pack_block(kernels, columns, block);
    }
    benchmark::DoNotOptimize(block);
  });
  state.counters["weights/s"] =
      benchmark::Counter(double{kTileRows} * kCols, benchmark::Counter::kIsIterationInvariantRate);
}

void register_level(simd::Isa isa) {
  const auto named = [isa](std::string kernel) { return kernel.append("/").append(name(isa)); };
  benchmark::RegisterBenchmark(named("pack_bf16").c_str(), [isa](benchmark::State& state) {
    pack(state, isa, WeightFormat::kBf16,
         [](const auto& k, auto* columns, auto* to) { k.pack_bf16(columns, to); });
  });
  benchmark::RegisterBenchmark(named("pack_int8").c_str(), [isa](benchmark::State& state) {
    pack(state, isa, WeightFormat::kInt8,
         [](const auto& k, auto* columns, auto* to) { k.pack_int8(columns, to); });
  });
  const simd::Int4Levels levels = quant::search_form(quant::kGaussianLevels);
  benchmark::RegisterBenchmark(named("pack_int4").c_str(), [isa, levels](benchmark::State& state) {
    pack(state, isa, WeightFormat::kInt4, [&](const auto& k, auto* columns, auto* to) {
      k.pack_int4(columns, kBlock, levels, nullptr, to);
    });
  });
  const std::vector<float> importance(kBlock, 0.5f);
  benchmark::RegisterBenchmark(
      named("pack_int4_weighted").c_str(), [isa, levels, importance](benchmark::State& state) {
        pack(state, isa, WeightFormat::kInt4, [&](const auto& k, auto* columns, auto* to) {
          k.pack_int4(columns, kBlock, levels, importance.data(), to);
        });
      });
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  for (const leyden::simd::Isa isa : leyden::simd::available_isas()) leyden::register_level(isa);
  return leyden::run_benchmarks(argc, argv);
}
