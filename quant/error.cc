#include "quant/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/layout.h"

namespace leyden::quant {
namespace {

/// error / energy, where no error in nothing is no error. NaN if one of them is.
double ratio(double error, double energy) {
  if (energy != 0) return error / energy;
  return error > 0 ? std::numeric_limits<double>::infinity() : error;
}

/// The larger one, or NaN if one of them is.
double worse(double a, double b) { return a > b || std::isnan(a) ? a : b; }

}  // namespace

void ErrorMeter::add(const float* original, const float* packed, int n_rows, int cols,
                     std::ptrdiff_t row_stride) noexcept {
  for (int r = 0; r < n_rows; ++r, original += row_stride, packed += row_stride) {
    for (int first = 0; first < cols; first += simd::kGroup) {
      double ww = 0, error = 0;
      for (int k = first; k < std::min(cols, first + simd::kGroup); ++k) {
        const double w = original[k], q = packed[k];
        ww += w * w;
        error += (w - q) * (w - q);
        qq_ += q * q;
        wq_ += w * q;
      }
      ww_ += ww;
      error_ += error;
      worst_group_ = worse(worst_group_, ratio(error, ww));
    }
  }
}

void ErrorMeter::merge(const ErrorMeter& other) noexcept {
  ww_ += other.ww_;
  qq_ += other.qq_;
  wq_ += other.wq_;
  error_ += other.error_;
  worst_group_ = worse(worst_group_, other.worst_group_);
}

ErrorFigures ErrorMeter::figures() const {
  ErrorFigures figures;
  figures.relative_rmse = std::sqrt(ratio(error_, ww_));
  figures.worst_group = std::sqrt(worst_group_);
  if (error_ != 0) figures.cosine = ww_ == 0 || qq_ == 0 ? wq_ : wq_ / std::sqrt(ww_ * qq_);
  return figures;
}

}  // namespace leyden::quant
