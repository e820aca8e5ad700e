#pragma once

#include "simd/vec_avx2.h"

// The contracts are those of vec_dot_avx512.h.

namespace leyden::simd::LEYDEN_ISA {
namespace {

struct I8x64 {
  __m256i lo, hi;
};

LEYDEN_INLINE I8x64 load_bytes(const void* p) {
  return {load_256(p), load_256(static_cast<const char*>(p) + 32)};
}
LEYDEN_INLINE void store_bytes(void* p, I8x64 x) {
  store_256(p, x.lo);
  store_256(static_cast<char*>(p) + 32, x.hi);
}
LEYDEN_INLINE I8x64 broadcast_quad(const void* p) {
  std::int32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return {_mm256_set1_epi32(quad), _mm256_set1_epi32(quad)};
}
LEYDEN_INLINE __m256i dot_u7(__m256i acc, __m256i w, __m256i a) {
  const __m256i pairs = _mm256_maddubs_epi16(w, a);  // |pair| <= 2 * 127 * 127 < 2^15
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
LEYDEN_INLINE I32x16 dot_u7(I32x16 acc, I8x64 w, I8x64 a) {
  return {dot_u7(acc.lo, w.lo, a.lo), dot_u7(acc.hi, w.hi, a.hi)};
}
LEYDEN_INLINE I32x16 dot_s7(I32x16 acc, I8x64 w, I8x64 a) {
  acc = dot_u7(acc, w, a);
  // Left alone, g++ computes all of a step's products before it adds any, and spills sums.
  asm("" : "+x"(acc.lo), "+x"(acc.hi));
  return acc;
}
LEYDEN_INLINE I32x16 start_offset128(std::int32_t) { return zero_i32(); }
LEYDEN_INLINE __m256i dot_offset128(__m256i acc, __m256i w, __m256i a) {
  const __m256i signed_w = _mm256_xor_si256(w, _mm256_set1_epi8(static_cast<char>(0x80)));
  return dot_u7(acc, _mm256_abs_epi8(signed_w), _mm256_sign_epi8(a, signed_w));
}
LEYDEN_INLINE I32x16 dot_offset128(I32x16 acc, I8x64 w, I8x64 a) {
  return {dot_offset128(acc.lo, w.lo, a.lo), dot_offset128(acc.hi, w.hi, a.hi)};
}

/// The addition as an instruction rather than an intrinsic, and `keep`: g++ 12 copies the
/// intrinsic's accumulator to another register and back, and reads a vector that several products
/// use from memory for each of them.
LEYDEN_INLINE __m256i dot_i16(__m256i acc, __m256i a, __m256i b) {
  const __m256i products = _mm256_madd_epi16(a, b);
  asm("vpaddd %1, %0, %0" : "+x"(acc) : "x"(products));
  return acc;
}
LEYDEN_INLINE I32x16 dot_i16(I32x16 acc, I32x16 a, I32x16 b) {
  return {dot_i16(acc.lo, a.lo, b.lo), dot_i16(acc.hi, a.hi, b.hi)};
}
/// x, in a register.
LEYDEN_INLINE I32x16 keep(I32x16 x) {
  asm("" : "+x"(x.lo), "+x"(x.hi));
  return x;
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
