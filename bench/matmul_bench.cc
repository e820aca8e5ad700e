// Matrix products at DeepSeek-V3.2's shapes, every format, level and number of tokens, beside what
// the machine can read and multiply at most, measured before and after each entry (hosts drift).
// Weights are cold: they come from memory, out of huge pages, and each product takes another copy.
// Teams are bound to cores; on several nodes matrices are divided by rows, as leyden divides them.
// sgemm is OpenBLAS with the same shapes in f32, for comparison. int4_led_... and int8_led_... are
// led through memory in one of the ways of simd::Lead, whichever this CPU prefers.
//   matmul_bench --benchmark_filter='(int4/avx512vnni|sgemm)/.*/tokens:16/'

#include <cblas.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "quant/weight_format.h"
#include "simd/kernels.h"
#include "src/model/linear.h"
#include "src/model/placement.h"
#include "src/runtime/index.h"
#include "src/runtime/memory.h"
#include "src/runtime/scratch.h"

namespace leyden {
namespace {

using quant::WeightFormat;
using simd::kBlock;
using simd::kTileRows;
using simd::Lead;

struct Format {
  const char* name;
  simd::MatmulFn* simd::Kernels::*matmul;
  WeightFormat weights;
  bool is_integer, bf16_at_once;
};
constexpr Format kFormats[] = {
    {"int4", &simd::Kernels::matmul_int4, WeightFormat::kInt4, true, false},
    {"int8", &simd::Kernels::matmul_int8, WeightFormat::kInt8, true, false},
    {"bf16", &simd::Kernels::matmul_bf16, WeightFormat::kBf16, false, false},
    {"bf16_at_once", &simd::Kernels::matmul_bf16, WeightFormat::kBf16, false, true},
    {"bf16_f32", &simd::Kernels::matmul_bf16_f32, WeightFormat::kBf16, false, false},
    {"f32", &simd::Kernels::matmul_f32, WeightFormat::kF32, false, false},
};

/// How few tokens are led through memory: as the CPU prefers, or in one of the ways of simd::Lead.
struct Way {
  const char* name;
  std::optional<Lead> lead;
};
constexpr Way kWays[] = {{"", {}},
                         {"_led_to_l1", Lead::kL1},
                         {"_led_in_two_runs", Lead::kTwoRuns},
                         {"_led_far", Lead::kFarL2}};
constexpr int kMostLedTokens = 4;

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
constexpr int kPiecesPerThread = 8;  // as src/model/linear.cc

/// Bytes that are valid weights of every format: small scales, bytes of all values, finite floats.
const runtime::NodeBuffers& weights(const runtime::ThreadTeam& team) {
  constexpr std::uint64_t kPattern = 0x2c3f'2c41'2c05'2c97;  // fp16 1/16, f32 and bf16 2e-12
  return memory_of(team, kWeightBytes, kPattern);
}

/// As many copies of a matrix as the weights' memory has room for.
class Copies {
 public:
  Copies(const runtime::ThreadTeam& team, const Shape& shape, WeightFormat format)
      : stack_{0, format, shape.rows, shape.cols, {}} {
    const runtime::NodeBuffers& memory = weights(team);
    std::vector<int> workers;
    for (int node = 0; node < memory.n_nodes(); ++node) {
      workers.push_back(team.crew().size_of(node));
    }
    const std::vector<std::int64_t> first_tile =
        model::divide(shape.rows / kTileRows, workers, /*turn=*/0);
    std::vector<model::MatrixPart> matrix;
    stack_.count = std::numeric_limits<std::int64_t>::max();
    for (int node = 0; node < memory.n_nodes(); ++node) {
      const std::int64_t first = first_tile[index(node)] * kTileRows;
      const std::int64_t rows = first_tile[index(node + 1)] * kTileRows - first;
      if (rows == 0) continue;
      const std::size_t bytes = quant::matrix_bytes(format, rows, shape.cols);
      matrix.push_back({node, first, {format, rows, shape.cols, memory.on(node)}});
      bytes_ += static_cast<double>(bytes);
      stack_.count = std::min(stack_.count, static_cast<std::int64_t>(memory.bytes() / bytes));
    }
    for (std::int64_t copy = 0; copy < stack_.count; ++copy) {
      for (model::MatrixPart part : matrix) {
        part.rows.data += index(copy) * quant::matrix_bytes(format, part.rows.rows, shape.cols);
        parts_.push_back(part);
      }
    }
    stack_.parts = parts_;
  }
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;

  std::int64_t count() const { return stack_.count; }
  model::PlacedMatrix operator[](std::int64_t i) const { return stack_[i]; }
  double bytes() const { return bytes_; }  // of one

 private:
  model::PlacedStack stack_;
  std::vector<model::MatrixPart> parts_;
  double bytes_ = 0;
};

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

void run(benchmark::State& state, simd::Isa isa, const Format& format, const Way& way,
         const Shape& shape, int n_tokens, int n_threads) {
  runtime::ThreadTeam& team = team_of(n_threads);
  const runtime::ThreadBinding bound = team.bind_caller();
  const simd::Kernels& kernels = simd::kernels(isa);
  const Activations activations(n_tokens, shape.cols);
  const Copies copies(team, shape, format.weights);
  const runtime::Array<float> out(index(n_tokens) * index(shape.rows));
  const runtime::Scratch scratch(team.crew(), simd::kMatmulScratchBytes);
  constexpr std::uint8_t kLevels[simd::kInt4Levels] = {0,  8,  17, 25, 34,  42,  51,  60,
                                                       68, 76, 85, 93, 102, 110, 119, 127};
  // Tiles times panels, as src/model/linear.cc cuts products.
  const int n_tiles = shape.rows / kTileRows;
  const auto n_panels = static_cast<int>(activations.panels.size());
  const int cells_per_piece = n_tiles * n_panels / (kPiecesPerThread * n_threads);
  const int tiles_per_piece = std::max(1, cells_per_piece / n_panels);
  const int panels_per_piece = std::clamp(cells_per_piece, 1, n_panels);
  const int n_cuts = (n_panels + panels_per_piece - 1) / panels_per_piece;

  // Asked once: in a virtual machine every question to the CPU is answered by its host.
  const Lead lead = way.lead.value_or(simd::lead_of_cpu());
  const bool loads_are_scarce = simd::loads_are_scarce();
  Limits limits(team, kernels, weights(team), format.is_integer);
  limits.measure();
  std::int64_t copy = 0;
  const Clock::time_point start = Clock::now();
  for (auto _ : state) {
    const model::PlacedMatrix w = copies[copy];
    copy = (copy + 1) % copies.count();
    const model::PlacedMatrix next_w = copies[copy];
    const model::RowPieces rows(w, tiles_per_piece * kTileRows);
    const int n_rows = rows.count(), n_pieces = n_rows * n_cuts;
    const auto multiply = [&](int piece, int worker) {
      const model::RowPieces::Piece of = rows[piece % n_rows];
      const int panel = piece / n_rows * panels_per_piece, next = (piece + n_threads) % n_pieces;
      const model::PlacedMatrix& next_of = piece + n_threads < n_pieces ? w : next_w;
      simd::MatmulArgs args;
      args.tiles = w.tile(of.first_row / kTileRows);
      args.next = next_of.tile(rows[next % n_rows].first_row / kTileRows);
      args.n_rows = static_cast<int>(of.n_rows);
      args.n_blocks = activations.n_blocks;
      args.levels = kLevels;
      args.panels = activations.panels.data() + panel;
      args.n_panels = std::min(panels_per_piece, n_panels - panel);
      args.next_panel = activations.panels.data() + next / n_rows * panels_per_piece;
      args.out =
          out.data() + std::ptrdiff_t{panel} * simd::kPanelTokens * shape.rows + of.first_row;
      args.out_stride = shape.rows;
      args.lead = lead;
      args.bf16_at_once = format.bf16_at_once;
      args.loads_are_scarce = loads_are_scarce;
      args.scratch = scratch.of(worker);
      (kernels.*format.matmul)(args);
    };
    team.run(n_pieces, multiply, [&](int piece) { return rows[piece % n_rows].node; });
  }

  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, copies.bytes(),
                static_cast<double>(shape.rows) * shape.cols * n_tokens);
}

/// Products of the same shapes by OpenBLAS, whose threads are the team's: each does some rows, out
/// of its node's memory.
void run_sgemm(benchmark::State& state, const Shape& shape, int n_tokens, int n_threads) {
  runtime::ThreadTeam& team = team_of(n_threads);
  const runtime::ThreadBinding bound = team.bind_caller();
  const runtime::Crew& crew = team.crew();
  const std::vector<float> x(index(n_tokens) * index(shape.cols), 1.0f);
  std::vector<float> out(index(n_tokens) * index(shape.rows));
  struct Piece {
    int first_row, n_rows;
    const float* weights;  // of the first copy
    std::size_t stride;    // floats to the next one
  };
  std::vector<Piece> pieces;
  std::size_t n_copies = std::numeric_limits<std::size_t>::max();
  const int most_rows = (shape.rows + n_threads - 1) / n_threads;
  for (int i = 0, of_node = 0; i < n_threads; ++i) {
    const int node = team.node_of(i);
    of_node = i > 0 && team.node_of(i - 1) == node ? of_node + 1 : 0;
    const int first = shape.rows * i / n_threads;
    const std::size_t floats = index(most_rows) * index(shape.cols);
    const std::size_t stride = floats * index(crew.size_of(node));
    pieces.push_back(
        {first, shape.rows * (i + 1) / n_threads - first,
         reinterpret_cast<const float*>(weights(team).on(node)) + floats * index(of_node), stride});
    n_copies = std::min(n_copies, weights(team).bytes() / (stride * sizeof(float)));
  }
  Limits limits(team, simd::kernels(), weights(team), /*is_integer=*/false);
  limits.measure();
  std::size_t copy = 0;
  const Clock::time_point start = Clock::now();
  for (auto _ : state) {
    const auto multiply = [&](int i, int) {
      const Piece& piece = pieces[index(i)];
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n_tokens, piece.n_rows, shape.cols, 1.0f,
                  x.data(), shape.cols, piece.weights + copy * piece.stride, shape.cols, 0.0f,
                  out.data() + piece.first_row, shape.rows);
    };
    team.run(n_threads, multiply, [&](int i) { return team.node_of(i); });
    copy = (copy + 1) % n_copies;
  }
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  limits.report(state, seconds, sizeof(float) * static_cast<double>(shape.rows) * shape.cols,
                static_cast<double>(shape.rows) * shape.cols * n_tokens);
}

constexpr int kTokens[] = {1, 2, 4, 8, 16, 128, 512};

void register_sgemm() {
  for (const Shape& shape : kShapes) {
    for (const int n_tokens : kTokens) {
      for (const int n_threads : thread_counts()) {
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

void register_entries(simd::Isa isa, const Format& format, const Way& way) {
  for (const Shape& shape : kShapes) {
    for (const int n_tokens : kTokens) {
      if (way.lead && n_tokens > kMostLedTokens) continue;
      for (const int n_threads : thread_counts()) {
        const std::string name = std::string(format.name) + way.name + "/" +
                                 std::string(simd::name(isa)) + "/" + shape.name +
                                 "/tokens:" + std::to_string(n_tokens) +
                                 "/threads:" + std::to_string(n_threads);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          run(state, isa, format, way, shape, n_tokens, n_threads);
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
      for (const Way& way : kWays) {
        if (!way.lead || format.is_integer) register_entries(isa, format, way);
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
