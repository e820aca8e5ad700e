#pragma once

#include "simd/vec_avx512.h"

// Lanes that hold several numbers each, four bytes or two of 16 bits, and their dot products.

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// 16 lanes of 4 bytes.
struct I8x64 {
  __m512i v;
};

LEYDEN_INLINE I8x64 load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }
LEYDEN_INLINE void store_bytes(void* p, I8x64 x) { _mm512_storeu_si512(p, x.v); }
/// The four bytes at p in every lane.
LEYDEN_INLINE I8x64 broadcast_quad(const void* p) {
  std::int32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return {_mm512_set1_epi32(quad)};
}
#if defined(LEYDEN_ISA_avx512vnni)
/// vpdpbusd as an instruction rather than an intrinsic: g++ 12 copies the intrinsic's accumulator
/// to another register and back, two moves for every product.
LEYDEN_INLINE __m512i dpbusd(__m512i acc, __m512i w, __m512i a) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(w), "v"(a));
  return acc;
}
#endif
/// acc + sum of 4 products per lane. w unsigned and at most 127, a signed in [-127, 127].
LEYDEN_INLINE I32x16 dot_u7(I32x16 acc, I8x64 w, I8x64 a) {
#if defined(LEYDEN_ISA_avx512vnni)
  return {dpbusd(acc.v, w.v, a.v)};
#else
  const __m512i pairs = _mm512_maddubs_epi16(w.v, a.v);  // |pair| <= 2 * 127 * 127 < 2^15
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
#endif
}

/// The same for any unsigned w and a in [-63, 63].
LEYDEN_INLINE I32x16 dot_s7(I32x16 acc, I8x64 w, I8x64 a) { return dot_u7(acc, w, a); }

/// Where an accumulator of dot_offset128 starts: `minus_128_sum` is -128 times the sum of a.
LEYDEN_INLINE I32x16 start_offset128(std::int32_t minus_128_sum) {
#if defined(LEYDEN_ISA_avx512vnni)
  return broadcast_i32(minus_128_sum);
#else
  (void)minus_128_sum;  // the products below are signed already
  return zero_i32();
#endif
}
/// acc + sum of 4 products (w - 128) * a per lane, given start_offset128. w - 128 and a in
/// [-127, 127]. Without VNNI the sign moves from w to a, so that vpmaddubsw can't saturate.
LEYDEN_INLINE I32x16 dot_offset128(I32x16 acc, I8x64 w, I8x64 a) {
#if defined(LEYDEN_ISA_avx512vnni)
  return {dpbusd(acc.v, w.v, a.v)};
#else
  const __m512i signed_w = _mm512_xor_si512(w.v, _mm512_set1_epi8(static_cast<char>(0x80)));
  const __mmask64 negative = _mm512_movepi8_mask(signed_w);
  const __m512i turned = _mm512_mask_sub_epi8(a.v, negative, _mm512_setzero_si512(), a.v);
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(signed_w), turned);
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
#endif
}

/// acc + the sum of 2 products of int16 per lane.
LEYDEN_INLINE I32x16 dot_i16(I32x16 acc, I32x16 a, I32x16 b) {
#if defined(LEYDEN_ISA_avx512vnni)
  asm("vpdpwssd %2, %1, %0" : "+v"(acc.v) : "v"(a.v), "v"(b.v));  // see dpbusd
  return acc;
#else
  const __m512i products = _mm512_madd_epi16(a.v, b.v);
  asm("vpaddd %1, %0, %0" : "+v"(acc.v) : "v"(products));
  return acc;
#endif
}
#if defined(LEYDEN_ISA_avx512vnni)
/// acc + the products of a lane's pair of bf16 with the pair at x, that of the high halves first
/// (simd/matmul.h). Not every CPU of this level has vdpbf16ps: only for has_bf16_dot().
LEYDEN_INLINE F32x16 dot_bf16(F32x16 acc, I32x16 w, const void* x) {
  std::int32_t pair;
  __builtin_memcpy(&pair, x, 4);
  asm("vdpbf16ps %2, %1, %0" : "+v"(acc.v) : "v"(w.v), "v"(_mm512_set1_epi32(pair)));  // see dpbusd
  return acc;
}
/// The high halves of one register's lanes over the low halves of another's.
LEYDEN_INLINE I32x16 high_and_low(I32x16 high, I32x16 low) {
  return {_mm512_mask_blend_epi16(0xaaaaaaaa, low.v, high.v)};
}
/// Of every four 16-bit words those with these numbers.
template <int kFirst, int kSecond, int kThird, int kFourth>
LEYDEN_INLINE I8x64 regroup_words(I8x64 x) {
  constexpr int kOrder = kFirst | kSecond << 2 | kThird << 4 | kFourth << 6;
  return {_mm512_shufflehi_epi16(_mm512_shufflelo_epi16(x.v, kOrder), kOrder)};
}
#endif
/// x, in a register: g++ 12 reads a vector that several products use from memory for each of them.
LEYDEN_INLINE I32x16 keep(I32x16 x) {
  asm("" : "+v"(x.v));
  return x;
}
LEYDEN_INLINE I8x64 keep(I8x64 x) {
  asm("" : "+v"(x.v));
  return x;
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
