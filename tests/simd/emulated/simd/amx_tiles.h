#pragma once

#include <cstddef>

#include "simd/amx_shapes.h"
#include "tests/simd/emulated/tiles.h"

// Stands for simd/amx_tiles.h in leyden_simd_amx_tests, whose include path begins with this folder.
namespace leyden::simd::LEYDEN_ISA {
namespace {

LEYDEN_INLINE void begin_tiles(const AmxShapes& shapes) { emulated::ldtilecfg(&shapes); }
LEYDEN_INLINE void end_tiles() { emulated::tilerelease(); }

template <int kTile>
LEYDEN_INLINE void tile_zero() {
  emulated::tilezero(kTile);
}
template <int kTile>
LEYDEN_INLINE void tile_load(const void* rows, std::ptrdiff_t stride) {
  emulated::tileloadd(kTile, rows, stride);
}
template <int kTile>
LEYDEN_INLINE void tile_store(void* rows, std::ptrdiff_t stride) {
  emulated::tilestored(kTile, rows, stride);
}

template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_i8_i8() {
  emulated::tdpbssd(kSum, kA, kB);
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_i8_u8() {
  emulated::tdpbsud(kSum, kA, kB);
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_u8_i8() {
  emulated::tdpbusd(kSum, kA, kB);
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_u8_u8() {
  emulated::tdpbuud(kSum, kA, kB);
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_bf16() {
  emulated::tdpbf16ps(kSum, kA, kB);
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
