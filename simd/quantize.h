#pragma once

#include <cstdint>

#include "simd/layout.h"
#include "simd/magnitude.h"

namespace leyden::simd {

/// Where one token's row goes inside a panel under construction: pointers to the token's first
/// cell, distances to its next ones. The mutable twin of ActivationPanel (simd/matmul.h), for one
/// token.
struct PanelRow {
  float* x = nullptr;             // or null: not wanted
  std::uint16_t* bf16 = nullptr;  // or null: not wanted
  std::int8_t* q = nullptr;       // or null: not wanted, and then the rest isn't either
  float* scale = nullptr;
  std::int32_t* start_int4 = nullptr;
  std::int32_t* start_int8 = nullptr;
  int width = 0;  // tokens of the panel: the next cell is width * 128 values away, the next scale
                  // width, the next starts width * 4
};

/// Writes row x [n] (n > 0) into its cells, the last one zero-padded.
///   bf16 = x rounded (simd/bf16.h);
///   scale = max |x| of the block / 127, q = round to nearest even(x * (127 / max |x|));
///   a block whose max |x| is below kSmallestQuantized (zeros, mostly) gets scale 0 and q 0;
///   a block with an infinity or a NaN gets that as its scale (NaN before infinity) and q 0, so
///   that nothing which is multiplied with it looks like a number.
/// The starts are kFloatBiasBits - 64 (or 128) * the sum of q over a group (simd/matmul.h).
/// Exact: the same bits on every ISA level, but for the payload of a NaN.
using QuantizeRowFn = void(const float* x, int n, const PanelRow& row) noexcept;

}  // namespace leyden::simd
