#include "quant/pack.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/kernels.h"

namespace leyden::quant {
namespace {

constexpr float kLargestBf16 = 0x1.fep+127f;
constexpr float kLargestFp16 = 65504.0f;

/// The largest weight a format can hold, whatever the other weights of its group are.
float limit(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return std::numeric_limits<float>::max();
    case WeightFormat::kBf16:
      return kLargestBf16;
    case WeightFormat::kInt8:
      return kLargestFp16 * 127;
    case WeightFormat::kInt4:
      return kLargestInt4;
  }
  return 0;
}

}  // namespace

std::string_view describe(PackStatus status) {
  switch (status) {
    case PackStatus::kOk:
      return "fine";
    case PackStatus::kNotFinite:
      return "a weight is infinite or not a number";
    case PackStatus::kTooLarge:
      return "a weight is too large for the format";
  }
  return "?";
}

PackStatus pack_tile(WeightFormat format, const TileRows& rows, std::byte* tile) noexcept {
  const simd::Kernels& kernels = simd::kernels();
  alignas(simd::kLine) float columns[simd::kBlock * simd::kTileRows];
  simd::Int4Levels levels;
  if (format == WeightFormat::kInt4) levels = search_form(*rows.levels);
  for (int first = 0; first < rows.cols; first += simd::kBlock, tile += block_bytes(format)) {
    const int n_cols = std::min(simd::kBlock, rows.cols - first);
    float* const to = format == WeightFormat::kF32 ? reinterpret_cast<float*>(tile) : columns;
    const float largest =
        kernels.pack_columns(rows.weight + first, rows.row_stride, rows.n_rows, n_cols, to);
    if (!std::isfinite(largest)) return PackStatus::kNotFinite;
    if (largest > limit(format)) return PackStatus::kTooLarge;
    switch (format) {
      case WeightFormat::kF32:
        break;
      case WeightFormat::kBf16:
        kernels.pack_bf16(columns, tile);
        break;
      case WeightFormat::kInt8:
        kernels.pack_int8(columns, tile);
        break;
      case WeightFormat::kInt4:
        kernels.pack_int4(columns, n_cols, levels,
                          rows.importance != nullptr ? rows.importance + first : nullptr, tile);
        break;
    }
  }
  return PackStatus::kOk;
}

}  // namespace leyden::quant
