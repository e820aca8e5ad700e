#include <cblas.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "simd/bf16.h"
#include "simd/kernels.h"
#include "tests/quant/packed_matrix.h"
#include "tests/quant/weight_formats.h"
#include "tests/simd/every_isa.h"

// Packing, unpacking, quantizing and multiplying against OpenBLAS, which knows nothing of tiles:
// what a kernel makes of packed weights must be the product of the unpacked ones.
namespace leyden::quant {
namespace {

using simd::kBlock;
using simd::kGroupsPerBlock;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

bool is_integer(WeightFormat format) {
  return format == WeightFormat::kInt8 || format == WeightFormat::kInt4;
}

/// The activations of some tokens as a kernel takes them, and what they mean to weights of a
/// format.
struct Tokens {
  Tokens(int n_tokens, int n_cols, WeightFormat format)
      : n(n_tokens),
        cols(n_cols),
        n_blocks((cols + kBlock - 1) / kBlock),
        meaning(gaussian_weights(at(n * cols), /*sigma=*/1.0f, /*seed=*/11)),
        x(at(n_blocks * n * kBlock)),
        scale(at(n_blocks * n)),
        bf16(x.size()),
        q(x.size()),
        start_int4(at(n_blocks * n * kGroupsPerBlock)),
        start_int8(start_int4.size()) {
    for (int t = 0; t < n; ++t) {
      simd::kernels().quantize_row(
          &meaning[at(t * cols)], cols,
          {&x[at(t * kBlock)], &bf16[at(t * kBlock)], &q[at(t * kBlock)], &scale[at(t)],
           &start_int4[at(t * kGroupsPerBlock)], &start_int8[at(t * kGroupsPerBlock)], n});
      for (int c = 0; c < cols; ++c) {
        const int cell = c / kBlock * n + t;
        const std::size_t i = at(cell * kBlock + c % kBlock);
        float& value = meaning[at(t * cols + c)];
        if (is_integer(format)) value = scale[at(cell)] * static_cast<float>(q[i]);
        if (format == WeightFormat::kBf16) value = simd::scalar::from_bf16(bf16[i]);
      }
    }
  }
  simd::ActivationPanel panel() const {
    return {x.data(), bf16.data(), q.data(), scale.data(), start_int4.data(), start_int8.data(), n};
  }

  int n, cols, n_blocks;
  std::vector<float> meaning;  // [n, cols]
  std::vector<float> x, scale;
  std::vector<std::uint16_t> bf16;
  std::vector<std::int8_t> q;
  std::vector<std::int32_t> start_int4, start_int8;
};

std::vector<float> product(const PackedMatrix& matrix, const Tokens& tokens, simd::Isa isa) {
  const int rows = static_cast<int>(matrix.view.rows);
  const simd::Kernels& k = simd::kernels(isa);
  std::vector<float> out(at(tokens.n * rows));
  alignas(simd::kLine) static std::byte scratch[simd::kMatmulScratchBytes];
  const simd::ActivationPanel panel = tokens.panel();
  simd::MatmulArgs args;
  args.tiles = matrix.view.tile(0);
  args.n_rows = rows;
  args.n_blocks = tokens.n_blocks;
  args.levels = matrix.view.levels();
  args.panels = &panel;
  args.n_panels = 1;
  args.out = out.data();
  args.out_stride = rows;
  args.scratch = scratch;
  switch (matrix.view.format) {
    case WeightFormat::kF32:
      k.matmul_f32(args);
      break;
    case WeightFormat::kBf16:
      k.matmul_bf16(args);
      break;
    case WeightFormat::kInt8:
      k.matmul_int8(args);
      break;
    case WeightFormat::kInt4:
      k.matmul_int4(args);
      break;
  }
  return out;
}

using ProductTest = simd::EveryIsaAndFormat<WeightFormat>;

TEST_P(ProductTest, IsThatOfOpenBlas) {
  for (const auto& [rows, cols] : {std::pair{1, 1}, {16, 128}, {37, 200}, {70, 1000}}) {
    const PackedMatrix matrix(format(), rows, cols,
                              gaussian_weights(at(rows * cols), /*sigma=*/1.0f));
    const std::vector<float> weights = matrix.unpacked();
    for (const int n : {1, 5, 64}) {
      const Tokens tokens(n, cols, format());
      std::vector<float> expected(at(n * rows));
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, rows, cols, 1.0f,
                  tokens.meaning.data(), cols, weights.data(), cols, 0.0f, expected.data(), rows);
      const std::vector<float> found = product(matrix, tokens, isa());
      // A group's integer loses about one to the bias (simd/matmul.h); outputs are sqrt(cols)
      // large.
      const float tolerance =
          (is_integer(format()) ? 1e-3f : 1e-5f) * std::sqrt(static_cast<float>(cols));
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_NEAR(found[i], expected[i], tolerance)
            << rows << " x " << cols << ", token " << i / at(rows) << ", row " << i % at(rows);
      }
    }
  }
}

LEYDEN_FOR_EVERY_ISA_AND_FORMAT(ProductTest, kWeightFormats);

}  // namespace
}  // namespace leyden::quant
