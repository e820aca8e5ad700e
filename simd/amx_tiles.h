#pragma once

#include <cstddef>

#include "simd/amx_shapes.h"

// The instructions of AMX's tile registers (tests/simd/emulated has others in their place). For
// kernels of the level amx only. g++ 12's own intrinsics don't say that a tile is read from memory,
// so a store in front of one could be moved behind it.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Around the use of tiles. Registers that are left configured make a switch of threads dearer and
/// keep a core from sleeping deeply.
LEYDEN_INLINE void begin_tiles(const AmxShapes& shapes) {
  asm volatile("ldtilecfg %0" : : "m"(shapes));
}
LEYDEN_INLINE void end_tiles() { asm volatile("tilerelease"); }

template <int kTile>
LEYDEN_INLINE void tile_zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
template <int kTile>
LEYDEN_INLINE void tile_load(const void* rows, std::ptrdiff_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(rows), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
LEYDEN_INLINE void tile_store(void* rows, std::ptrdiff_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(rows), "r"(stride), "i"(kTile) : "memory");
}

/// kSum[m][n] += the sum over k of the four bytes kA[m][4 k ..] times the four kB[k][4 n ..],
/// modulo 2^32; i8 and u8 say what the bytes of a and of b are.
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_i8_i8() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_i8_u8() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_u8_i8() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_u8_u8() {
  asm volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}

/// kSum[m][n] += the sum over k of kA[m][2 k ..] times kB[k][2 n ..], two bf16 each, in the order
/// of simd/matmul.h.
template <int kSum, int kA, int kB>
LEYDEN_INLINE void tile_dot_bf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
