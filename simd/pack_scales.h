#pragma once

#include "simd/vec.h"

// For *.kernel.cc only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Stores 16 scales as fp16; returns the inverses of what was stored, 0 for a scale of 0.
LEYDEN_INLINE F32x16 store_scales(F32x16 scale, std::byte* to) {
  auto* const codes = reinterpret_cast<std::uint16_t*>(to);
  store_fp16(codes, scale);
  const F32x16 rounded = load_fp16(codes);
  return select(greater(abs(rounded), zero_f32()), broadcast(1.0f) / rounded, zero_f32());
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
