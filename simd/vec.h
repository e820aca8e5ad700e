#pragma once

// Sixteen lanes, whatever the machine: the registers of the ISA level a kernel source is being
// compiled for. For *.kernel.cc only. Every function here is inlined and internal, so that no code
// of one level can be linked into another.

#define LEYDEN_INLINE [[gnu::always_inline]] static inline

// In front of a loop over registers: -O2 alone leaves such loops rolled and their registers in
// memory.
#define LEYDEN_UNROLL _Pragma("GCC unroll 64")

#if defined(LEYDEN_ISA_avx2)
#include "simd/vec_dot_avx2.h"
#elif defined(LEYDEN_ISA_avx512) || defined(LEYDEN_ISA_avx512vnni)
#include "simd/vec_dot_avx512.h"
#else
#error "simd/vec.h is for kernel sources, which CMake compiles once per ISA level"
#endif

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Asks for a line of memory; any address will do.
LEYDEN_INLINE void prefetch(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}
/// The same, into the second-level cache.
LEYDEN_INLINE void prefetch_far(const void* p) {
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
