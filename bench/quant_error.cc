// The error of every weight format as a Markdown table for RESULTS.md: relative RMSE on Gaussian
// and Laplace weights and on a checkpoint's matrices (default: the demo model), and what learning a
// table costs.
//
//     quant_error [CHECKPOINT]

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/error.h"
#include "quant/level_fit.h"
#include "quant/pack.h"
#include "src/runtime/elapsed.h"

namespace leyden {
namespace {

struct Matrix {
  std::int64_t rows, cols;
  std::vector<float> weight;  // [rows, cols]
};

std::vector<Matrix> random_matrix(const std::function<float(std::mt19937&)>& draw) {
  std::mt19937 random(1);
  Matrix m = {1024, 4096, std::vector<float>(std::size_t{1024} * 4096)};
  for (float& w : m.weight) w = draw(random);
  return {m};
}

/// The matrices a recipe quantizes: not the embedding, the routers and the indexers' head weights.
std::vector<Matrix> matrices_of(const formats::Checkpoint& checkpoint) {
  std::vector<Matrix> found;
  for (const formats::CheckpointTensor& t : checkpoint.tensors()) {
    const auto has = [&](const char* part) { return t.name.find(part) != std::string::npos; };
    if (t.shape.size() != 2 || has("embed_tokens") || has("mlp.gate.") || has("weights_proj")) {
      continue;
    }
    Matrix& m = found.emplace_back(Matrix{t.rows(), t.cols(), {}});
    m.weight.resize(static_cast<std::size_t>(m.rows * m.cols));
    checkpoint.read_rows_f32(t, 0, m.rows, m.weight.data());
  }
  return found;
}

using Rounding = std::function<void(const Matrix&, std::span<float> rounded)>;

/// GGUF's Q4_0 as its own tools round it: the extreme weight is put at -8.
void round_q4_0(const Matrix& m, std::span<float> rounded) {
  for (std::size_t first = 0; first < m.weight.size(); first += 32) {
    const std::size_t n = std::min<std::size_t>(32, m.weight.size() - first);
    float extreme = 0;
    for (std::size_t k = first; k < first + n; ++k) {
      if (std::abs(m.weight[k]) > std::abs(extreme)) extreme = m.weight[k];
    }
    const float step = extreme / -8;
    for (std::size_t k = first; k < first + n; ++k) {
      const float code = step == 0 ? 8 : std::floor(m.weight[k] / step + 8.5f);
      rounded[k] = (std::min(code, 15.0f) - 8) * step;
    }
  }
}

quant::Levels learn(const Matrix& m) {
  std::vector<float> weights;
  const quant::LevelSample sample = quant::level_sample(m.rows, m.cols);
  for (const std::int64_t row : sample.rows) {
    const auto begin = m.weight.begin() + row * m.cols;
    weights.insert(weights.end(), begin, begin + m.cols);
  }
  const auto cols = static_cast<int>(m.cols);
  return quant::learn_levels({.weight = weights.data(),
                              .row_stride = cols,
                              .n_rows = static_cast<int>(sample.rows.size()),
                              .cols = cols},
                             quant::kGaussianLevels, sample.rounds);
}

/// Packs tile by tile and reads the tiles back; `read_back` can leave that out, to time packing.
void pack(const Matrix& m, quant::WeightFormat format, const quant::Levels& levels,
          std::span<float> rounded, bool read_back = true) {
  struct alignas(64) Line {
    std::byte byte[64];
  };
  std::vector<Line> lines(quant::matrix_bytes(format, 16, m.cols) / sizeof(Line));
  std::byte* const data = lines.front().byte;
  const std::size_t prefix = quant::prefix_bytes(format);
  std::copy_n(reinterpret_cast<const std::byte*>(levels.data()), std::min(prefix, levels.size()),
              data);
  for (std::int64_t row = 0; row < m.rows; row += 16) {
    const auto n_rows = static_cast<int>(std::min<std::int64_t>(16, m.rows - row));
    const auto status = quant::pack_tile(format,
                                         {.weight = m.weight.data() + row * m.cols,
                                          .row_stride = m.cols,
                                          .n_rows = n_rows,
                                          .cols = static_cast<int>(m.cols),
                                          .levels = &levels},
                                         data + prefix);
    if (status != quant::PackStatus::kOk) fmt::print("{}\n", quant::describe(status));
    const quant::MatrixView tile = {format, n_rows, m.cols, data};
    if (read_back) quant::unpack_tile(tile, 0, rounded.data() + row * m.cols, m.cols);
  }
}

quant::ErrorFigures error_of(const std::vector<Matrix>& matrices, const Rounding& round) {
  quant::ErrorMeter meter;
  for (const Matrix& m : matrices) {
    std::vector<float> rounded(m.weight.size());
    round(m, rounded);
    meter.add(m.weight.data(), rounded.data(), static_cast<int>(m.rows), static_cast<int>(m.cols),
              m.cols);
  }
  return meter.figures();
}

double seconds(const std::function<void()>& work) {
  const auto start = runtime::Clock::now();
  work();
  return runtime::seconds_since(start);
}

void print_errors(const std::string& checkpoint) {
  std::normal_distribution<float> normal;
  std::exponential_distribution<float> exponential;
  const std::vector<std::vector<Matrix>> columns = {
      random_matrix([&](std::mt19937& random) { return normal(random); }),
      random_matrix([&](std::mt19937& random) {
        const float size = exponential(random);
        return (random() & 1) != 0 ? size : -size;
      }),
      matrices_of(*formats::Checkpoint::open(checkpoint)),
  };
  const auto row = [&](const char* name, double bits, const Rounding& round) {
    fmt::print("| {} | {} |", name, bits);
    for (const auto& matrices : columns) {
      const quant::ErrorFigures figures = error_of(matrices, round);
      fmt::print(" {:.4f} ({:.2f}, {:.5f}) |", figures.relative_rmse, figures.worst_group,
                 figures.cosine);
    }
    fmt::print("\n");
  };
  fmt::print("| format | bits | Gaussian | Laplace | {} |\n|---|---|---|---|---|\n", checkpoint);
  using quant::WeightFormat;
  const auto packed = [](WeightFormat format, bool learned) {
    return [=](const Matrix& m, std::span<float> rounded) {
      pack(m, format, learned ? learn(m) : quant::kGaussianLevels, rounded);
    };
  };
  row("Q4_0, plain rounding", 4.5, round_q4_0);
  row("int4, table for Gaussian weights", 4.5, packed(WeightFormat::kInt4, false));
  row("int4, table learned per matrix", 4.5, packed(WeightFormat::kInt4, true));
  row("int8", 8.5, packed(WeightFormat::kInt8, false));
}

void print_costs() {
  std::normal_distribution<float> normal;
  const auto matrix = random_matrix([&](std::mt19937& random) { return normal(random); });
  const Matrix& m = matrix.front();
  quant::Levels levels;
  const double learning = seconds([&] { levels = learn(m); });
  const double packing =
      seconds([&] { pack(m, quant::WeightFormat::kInt4, levels, {}, /*read_back=*/false); });
  fmt::print("\nA matrix of {} x {}: learning {:.1f} ms, packing {:.1f} ms, {:.0f} M weights/s\n",
             m.rows, m.cols, 1e3 * learning, 1e3 * packing,
             static_cast<double>(m.rows * m.cols) / (learning + packing) / 1e6);
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  leyden::print_errors(argc > 1 ? argv[1] : LEYDEN_SOURCE_DIR "/models/demo/checkpoint");
  leyden::print_costs();
  return 0;
}
