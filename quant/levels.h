#pragma once

#include <array>
#include <cstdint>

#include "simd/layout.h"
#include "simd/pack.h"

namespace leyden::quant {

/// The 16 values an int4 weight can take before its group's scale, ascending, each stored as
/// value + 64 in 0 ... 127.
using Levels = std::array<std::uint8_t, simd::kInt4Levels>;

/// Fitted to Gaussian weights in groups of 32 (learn_levels of such a sample). Lopsided, because a
/// group's scale may be negative: its largest weight then meets the longer arm.
extern const Levels kGaussianLevels;

/// The integers -8 ... 7: the table of GGUF's Q4_0.
extern const Levels kEvenLevels;

/// The form in which the packing kernel searches a table: its levels as numbers, and the borders
/// between them as a tree. The second form takes the numbers themselves, ascending.
simd::Int4Levels search_form(const Levels& levels);
simd::Int4Levels search_form(const std::array<double, simd::kInt4Levels>& levels);

}  // namespace leyden::quant
