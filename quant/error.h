#pragma once

#include <cstddef>

namespace leyden::quant {

/// How far packed weights q are from the original w.
struct ErrorFigures {
  double relative_rmse = 0;  // sqrt(sum (w - q)^2 / sum w^2)
  double worst_group = 0;    // the same of the worst group of 32 columns of a row
  double cosine = 1;         // sum w q / sqrt(sum w^2 sum q^2)
};

/// Collects the figures of a tensor piece by piece.
class ErrorMeter {
 public:
  /// Rows [n_rows, cols] of both, row_stride floats apart. Groups start at column 0 of a row.
  void add(const float* original, const float* packed, int n_rows, int cols,
           std::ptrdiff_t row_stride) noexcept;

  /// Adds what another meter saw. Sums are rounded, so merge in a fixed order.
  void merge(const ErrorMeter& other) noexcept;

  /// A tensor of zeros that came back as zeros has no error; one that didn't has an infinite one.
  /// All figures of a tensor with a NaN on either side are NaN.
  ErrorFigures figures() const;

 private:
  double ww_ = 0, qq_ = 0, wq_ = 0, error_ = 0;
  double worst_group_ = 0;  // squared
};

}  // namespace leyden::quant
