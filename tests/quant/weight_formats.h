#pragma once

#include "quant/weight_format.h"

namespace leyden::quant {

/// Every format, for tests that run once per format.
inline constexpr WeightFormat kWeightFormats[] = {WeightFormat::kF32, WeightFormat::kBf16,
                                                  WeightFormat::kInt8, WeightFormat::kInt4};

}  // namespace leyden::quant
