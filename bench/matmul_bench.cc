// Matrix products at DeepSeek-V3.2's shapes, every format, level and number of tokens, beside what
// the machine can read and multiply at most, measured before and after each entry (hosts drift).
// Weights are cold: they come from memory, out of huge pages, and each product takes another copy.
// sgemm is OpenBLAS with the same shapes in f32, for comparison.
//   matmul_bench --benchmark_filter='(int4/avx512vnni|sgemm)/.*/tokens:16/'

#include <cblas.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bench/kernel_bench.h"
#include "simd/kernels.h"
#include "src/model/linear.h"
#include "src/runtime/memory.h"
#include "src/runtime/scratch.h"

namespace leyden {
namespace {

using simd::kBlock;
using simd::kTileRows;

struct Format {
  const char* name;
  simd::MatmulFn* simd::Kernels::*matmul;
  std::size_t block_bytes;
  bool is_integer, bf16_at_once;
};
constexpr Format kFormats[] = {
    {"int4", &simd::Kernels::matmul_int4, simd::kBlockBytesInt4, true, false},
    {"int8", &simd::Kernels::matmul_int8, simd::kBlockBytesInt8, true, false},
    {"bf16", &simd::Kernels::matmul_bf16, simd::kBlockBytesBf16, false, false},
    {"bf16_at_once", &simd::Kernels::matmul_bf16, simd::kBlockBytesBf16, false, true},
    {"bf16_f32", &simd::Kernels::matmul_bf16_f32, simd::kBlockBytesBf16, false, false},
    {"f32", &simd::Kernels::matmul_f32, simd::kBlockBytesF32, false, false},
};

struct Shape {
  const char* name;
  int rows, cols;
};
constexpr Shape kShapes[] = {
    {"expert_up_2048x7168", 2048, 7168},
    {"expert_down_7168x2048", 7168, 2048},
    {"q_a_1536x7168", 1536, 7168},
    {"q_b_24576x1536", 24576, 1536},
};

constexpr std::size_t kWeightBytes = std::size_t{1} << 30;
constexpr int kPiecesPerThread = 8;  // as src/model/linear.cc hands them out

/// Bytes that are valid weights of every format: small scales, bytes of all values, finite floats.
const std::byte* weights() {
  static const runtime::Memory memory = [] {
    runtime::Memory m(kWeightBytes);
    constexpr std::uint64_t kPattern = 0x2c3f'2c41'2c05'2c97;  // fp16 1/16, f32 and bf16 2e-12
    for (std::size_t i = 0; i < kWeightBytes; i += 8) std::memcpy(m.data() + i, &kPattern, 8);
    return m;
  }();
  return memory.data();
}

/// Panels of n tokens with quantized rows.
struct Activations {
  Activations(int n_tokens, int cols) : n_blocks((cols + kBlock - 1) / kBlock) {
    const auto cells = static_cast<std::size_t>(n_tokens) * static_cast<std::size_t>(n_blocks);
    x = runtime::Array<float>(cells * kBlock);
    bf16 = runtime::Array<std::uint16_t>(cells * kBlock);
    q = runtime::Array<std::int8_t>(cells * kBlock);
    scale = runtime::Array<float>(cells);
    start4 = runtime::Array<std::int32_t>(cells * simd::kGroupsPerBlock);
    start8 = runtime::Array<std::int32_t>(cells * simd::kGroupsPerBlock);
    std::vector<float> row(static_cast<std::size_t>(cols));
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = static_cast<float>(k % 37) - 18.0f;
    for (int done = 0; done < n_tokens; done += simd::kPanelTokens) {
      const int width = std::min(n_tokens - done, simd::kPanelTokens);
      const std::ptrdiff_t cell = std::ptrdiff_t{done} * n_blocks;
      panels.push_back({x.data() + cell * kBlock, bf16.data() + cell * kBlock,
                        q.data() + cell * kBlock, scale.data() + cell, start4.data() + cell * 4,
                        start8.data() + cell * 4, width});
      for (int t = 0; t < width; ++t) {
        const std::ptrdiff_t first = cell + t;
        simd::kernels().quantize_row(
            row.data(), cols,
            {x.data() + first * kBlock, bf16.data() + first * kBlock, q.data() + first * kBlock,
             scale.data() + first, start4.data() + first * 4, start8.data() + first * 4, width});
      }
    }
  }

  int n_blocks;
  runtime::Array<float> x, scale;
  runtime::Array<std::uint16_t> bf16;
  runtime::Array<std::int8_t> q;
  runtime::Array<std::int32_t> start4, start8;
  std::vector<simd::ActivationPanel> panels;
};

void run(benchmark::State& state, simd::Isa isa, const Format& format, const Shape& shape,
         int n_tokens, int n_threads) {
  runtime::ThreadTeam& team = team_of(n_threads);
  const simd::Kernels& kernels = simd::kernels(isa);
  const Activations activations(n_tokens, shape.cols);
  const int n_tiles = shape.rows / kTileRows;
  const std::size_t tile_bytes =
      format.block_bytes * static_cast<std::size_t>(activations.n_blocks);
  const std::size_t matrix_bytes = tile_bytes * static_cast<std::size_t>(n_tiles);
  const std::size_t n_copies = kWeightBytes / matrix_bytes;
  const runtime::Array<float> out(static_cast<std::size_t>(n_tokens) *
                                  static_cast<std::size_t>(shape.rows));
  const runtime::Scratch scratch(team.crew(), simd::kMatmulScratchBytes);
  constexpr std::uint8_t kLevels[simd::kInt4Levels] = {0,  8,  17, 25, 34,  42,  51,  60,
                                                       68, 76, 85, 93, 102, 110, 119, 127};
  const int tiles_per_piece = std::max(1, n_tiles / (kPiecesPerThread * n_threads));
  const int n_pieces = (n_tiles + tiles_per_piece - 1) / tiles_per_piece;

  // Asked once: in a virtual machine every question to the CPU is answered by its host.
  const simd::Lead lead = simd::lead_of_cpu();
  const bool loads_are_scarce = simd::loads_are_scarce();
  const std::byte* const memory = weights();
  Limits limits(team, kernels, {memory, kWeightBytes}, format.is_integer);
  limits.measure();
  std::size_t copy = 0;
  const Clock::time_point start = Clock::now();
  for (auto _ : state) {
    const std::byte* const tiles = memory + copy * matrix_bytes;
    copy = (copy + 1) % n_copies;
    const std::byte* const next_tiles = memory + copy * matrix_bytes;
    const auto first_tile = [&](int piece) {
      return static_cast<std::size_t>(piece * tiles_per_piece) * tile_bytes;
    };
    team.run(n_pieces, [&](int piece, int worker) {
      const int tile = piece * tiles_per_piece;
      const int next = piece + n_threads;
      simd::MatmulArgs args;
      args.tiles = tiles + first_tile(piece);
      args.next = next < n_pieces ? tiles + first_tile(next)
                                  : next_tiles + first_tile((next - n_pieces) % n_pieces);
      args.n_rows = std::min(tiles_per_piece, n_tiles - tile) * kTileRows;
      args.n_blocks = activations.n_blocks;
      args.levels = kLevels;
      args.panels = activations.panels.data();
      args.n_panels = static_cast<int>(activations.panels.size());
      args.next_panel = activations.panels.data();
      args.out = out.data() + tile * kTileRows;
      args.out_stride = shape.rows;
      args.lead = lead;
      args.bf16_at_once = format.bf16_at_once;
      args.loads_are_scarce = loads_are_scarce;
      args.scratch = scratch.of(worker);
      (kernels.*format.matmul)(args);
    });
  }

  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, static_cast<double>(matrix_bytes),
                static_cast<double>(shape.rows) * shape.cols * n_tokens);
}

/// Products of the same shapes by OpenBLAS, whose threads are the team's: each does some rows.
void run_sgemm(benchmark::State& state, const Shape& shape, int n_tokens, int n_threads) {
  runtime::ThreadTeam& team = team_of(n_threads);
  const std::size_t matrix_bytes =
      static_cast<std::size_t>(shape.rows) * static_cast<std::size_t>(shape.cols) * sizeof(float);
  const std::size_t n_copies = kWeightBytes / matrix_bytes;
  const std::vector<float> x(
      static_cast<std::size_t>(n_tokens) * static_cast<std::size_t>(shape.cols), 1.0f);
  std::vector<float> out(static_cast<std::size_t>(n_tokens) * static_cast<std::size_t>(shape.rows));
  const int rows = shape.rows / n_threads;
  Limits limits(team, simd::kernels(), {weights(), kWeightBytes}, /*is_integer=*/false);
  limits.measure();
  std::size_t copy = 0;
  const Clock::time_point start = Clock::now();
  for (auto _ : state) {
    const auto* const matrix = reinterpret_cast<const float*>(weights() + copy * matrix_bytes);
    copy = (copy + 1) % n_copies;
    team.run(n_threads, [&](int piece, int) {
      const int first = piece * rows;
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n_tokens, rows, shape.cols, 1.0f,
                  x.data(), shape.cols, matrix + std::ptrdiff_t{first} * shape.cols, shape.cols,
                  0.0f, out.data() + first, shape.rows);
    });
  }
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, static_cast<double>(matrix_bytes),
                static_cast<double>(shape.rows) * shape.cols * n_tokens);
}

constexpr int kTokens[] = {1, 2, 4, 8, 16, 128, 512};

void register_sgemm() {
  for (const Shape& shape : kShapes) {
    for (const int n_tokens : kTokens) {
      for (const int n_threads : {1, 2}) {
        const std::string name = std::string("sgemm/") + shape.name +
                                 "/tokens:" + std::to_string(n_tokens) +
                                 "/threads:" + std::to_string(n_threads);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          run_sgemm(state, shape, n_tokens, n_threads);
        })->UseRealTime();
      }
    }
  }
}

void register_kernels() {
  for (const Format& format : kFormats) {
    for (const simd::Isa isa : simd::available_isas()) {
      if (isa == simd::Isa::kScalar) continue;
      // The one level that looks at the flag, and only with vdpbf16ps.
      if (format.bf16_at_once && (isa != simd::Isa::kAvx512Vnni || !simd::has_bf16_dot())) continue;
      for (const Shape& shape : kShapes) {
        for (const int n_tokens : kTokens) {
          for (const int n_threads : {1, 2}) {
            const std::string name = std::string(format.name) + "/" + std::string(simd::name(isa)) +
                                     "/" + shape.name + "/tokens:" + std::to_string(n_tokens) +
                                     "/threads:" + std::to_string(n_threads);
            benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
              run(state, isa, format, shape, n_tokens, n_threads);
            })->UseRealTime();
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  leyden::register_kernels();
  leyden::register_sgemm();
  return leyden::run_benchmarks(argc, argv);
}
