#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "quant/pack.h"

namespace leyden::quant {

/// Bytes that start at a cache line, filled with 0xcd.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t n) : lines_((n + 63) / 64) {
    std::memset(lines_.data(), 0xcd, lines_.size() * sizeof(Line));
  }
  std::byte* data() { return lines_.front().byte; }

 private:
  struct alignas(64) Line {
    std::byte byte[64];
  };
  std::vector<Line> lines_;
};

/// A matrix [rows, cols], packed tile by tile. Its status is that of the first tile that failed.
struct PackedMatrix {
  PackedMatrix(WeightFormat format, int rows, int cols, const std::vector<float>& weights,
               const Levels& levels = kGaussianLevels, const float* importance = nullptr)
      : bytes(matrix_bytes(format, rows, cols)),
        view{.format = format, .rows = rows, .cols = cols, .data = bytes.data()} {
    if (format == WeightFormat::kInt4) std::memcpy(bytes.data(), levels.data(), levels.size());
    std::byte* tile = bytes.data() + prefix_bytes(format);
    for (int r = 0; r < rows && status == PackStatus::kOk; r += simd::kTileRows) {
      status = pack_tile(format,
                         {.weight = weights.data() + std::ptrdiff_t{r} * cols,
                          .row_stride = cols,
                          .n_rows = std::min(simd::kTileRows, rows - r),
                          .cols = cols,
                          .levels = &levels,
                          .importance = importance},
                         tile);
      tile += view.tile_bytes();
    }
  }
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;

  /// The meaning of the bytes, row-major.
  std::vector<float> unpacked() const {
    std::vector<float> out(static_cast<std::size_t>(view.rows * view.cols));
    for (std::int64_t i = 0; i < view.n_tiles(); ++i) {
      unpack_tile(view, i, out.data() + i * simd::kTileRows * view.cols, view.cols);
    }
    return out;
  }

  AlignedBytes bytes;
  MatrixView view;
  PackStatus status = PackStatus::kOk;
};

inline std::vector<float> gaussian_weights(std::size_t n, float sigma = 0.02f, unsigned seed = 7) {
  std::mt19937 random(seed);
  std::normal_distribution<float> draw(0.0f, sigma);
  std::vector<float> x(n);
  for (float& v : x) v = draw(random);
  return x;
}

/// sqrt(sum (x - y)^2 / sum x^2).
inline double relative_rmse(const std::vector<float>& x, const std::vector<float>& y) {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
    energy += double{x[i]} * x[i];
  }
  return std::sqrt(error / energy);
}

}  // namespace leyden::quant
