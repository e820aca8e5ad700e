#pragma once

#include "simd/layout.h"
#include "simd/vec_dot_avx2.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

// The contracts are those of vec_rows_avx512.h, vec_dot_avx512.h and vec_avx512.h.

struct F32Rows {
  __m256 v;
};
struct I32Rows {
  __m256i v;
};
struct I8Rows {
  __m256i v;
};
constexpr int kRows = 8;
constexpr int kHalves = kTileRows / kRows;
constexpr int kGroupsAtOnce = 1;
constexpr int kFewTokens = 4;
constexpr int kQuadsAtOnce = 2;

LEYDEN_INLINE F32Rows load_rows(const float* p) { return {_mm256_loadu_ps(p)}; }
LEYDEN_INLINE F32Rows load_rows_first(const float* p, int n) {
  return {_mm256_maskload_ps(p, lanes_below(n))};
}
LEYDEN_INLINE F32Rows load_rows_fp16(const void* p) { return {_mm256_cvtph_ps(load_128(p))}; }
LEYDEN_INLINE F32Rows broadcast_rows(float x) { return {_mm256_set1_ps(x)}; }
LEYDEN_INLINE I32Rows broadcast_rows(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
LEYDEN_INLINE void store(float* p, F32Rows x) { _mm256_storeu_ps(p, x.v); }
LEYDEN_INLINE void store_first(float* p, F32Rows x, int n) {
  _mm256_maskstore_ps(p, lanes_below(n), x.v);
}
LEYDEN_INLINE F32Rows operator+(F32Rows a, F32Rows b) { return {_mm256_add_ps(a.v, b.v)}; }
LEYDEN_INLINE F32Rows operator*(F32Rows a, F32Rows b) { return {_mm256_mul_ps(a.v, b.v)}; }
LEYDEN_INLINE F32Rows fma(F32Rows a, F32Rows b, F32Rows c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
LEYDEN_INLINE F32Rows bits_as_f32(I32Rows x) { return {_mm256_castsi256_ps(x.v)}; }

LEYDEN_INLINE I8Rows load_rows_bytes(const void* p) { return {load_256(p)}; }
LEYDEN_INLINE void store_bytes(void* p, I8Rows x) { store_256(p, x.v); }
/// A table of 16 bytes, ready to look up.
LEYDEN_INLINE I8Rows load_rows_table(const std::uint8_t* table) {
  return {_mm256_broadcastsi128_si256(load_128(table))};
}
/// What the low and the high nibbles of the bytes of `pair` stand for.
LEYDEN_INLINE I8Rows look_up_low(I8Rows table, I8Rows pair) {
  const __m256i low = _mm256_and_si256(pair.v, _mm256_set1_epi8(0x0f));
  return {_mm256_shuffle_epi8(table.v, low)};
}
LEYDEN_INLINE I8Rows look_up_high(I8Rows table, I8Rows pair) {
  return look_up_low(table, {_mm256_srli_epi16(pair.v, 4)});
}

LEYDEN_INLINE __m256i broadcast_quad_256(const std::int8_t* q) {
  std::int32_t quad;
  __builtin_memcpy(&quad, q, 4);
  return _mm256_set1_epi32(quad);
}
/// Left alone, g++ turns a chain of dot products into a tree of sums and spills its leaves.
LEYDEN_INLINE __m256i in_order(__m256i sum) {
  asm("" : "+x"(sum));
  return sum;
}
LEYDEN_INLINE I32Rows dot_u7(I32Rows acc, I8Rows w, const std::int8_t* q) {
  return {in_order(dot_u7(acc.v, w.v, broadcast_quad_256(q)))};
}

struct OffsetRows {
  __m256i magnitude, signed_w;
};
LEYDEN_INLINE OffsetRows prepare_offset128(I8Rows w) {
  const __m256i signed_w = _mm256_xor_si256(w.v, _mm256_set1_epi8(static_cast<char>(0x80)));
  return {_mm256_abs_epi8(signed_w), signed_w};
}
LEYDEN_INLINE I32Rows start_rows_offset128(std::int32_t) { return broadcast_rows(kFloatBiasBits); }
LEYDEN_INLINE I32Rows dot_offset128(I32Rows acc, OffsetRows w, const std::int8_t* q) {
  const __m256i turned = _mm256_sign_epi8(broadcast_quad_256(q), w.signed_w);
  return {in_order(dot_u7(acc.v, w.magnitude, turned))};
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
