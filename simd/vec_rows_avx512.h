#pragma once

#include "simd/layout.h"
#include "simd/vec_dot_avx512.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

using F32Rows = F32x16;
using I32Rows = I32x16;
using I8Rows = I8x64;
constexpr int kRows = 16;
constexpr int kHalves = kTileRows / kRows;
/// Groups whose quads the integer products keep in registers.
#if defined(LEYDEN_ISA_avx512vnni)
constexpr int kGroupsAtOnce = 2;
#else
constexpr int kGroupsAtOnce =
    1;  // int8 quads need masks too: 63 instead of 66 % of the peak with 2
#endif
/// Tokens whose sums they keep in registers, and the quads they read ahead of using them then.
constexpr int kFewTokens = 8;
constexpr int kQuadsAtOnce = 4;

LEYDEN_INLINE F32Rows load_rows(const float* p) { return load(p); }
LEYDEN_INLINE F32Rows load_rows_first(const float* p, int n) { return load_first(p, n); }
LEYDEN_INLINE F32Rows load_rows_fp16(const void* p) {
  return load_fp16(static_cast<const std::uint16_t*>(p));
}
LEYDEN_INLINE F32Rows broadcast_rows(float x) { return broadcast(x); }
LEYDEN_INLINE I32Rows broadcast_rows(std::int32_t x) { return broadcast_i32(x); }
LEYDEN_INLINE I8Rows load_rows_bytes(const void* p) { return load_bytes(p); }
/// A table of 16 bytes, ready to look up: four times.
LEYDEN_INLINE I8Rows load_rows_table(const std::uint8_t* table) {
  return {_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)))};
}
/// What the low and the high nibbles of the bytes of `pair` stand for.
#if defined(__AVX512VBMI__)
/// vpermb takes six bits of an index; of those, the two that belong to another nibble choose among
/// the table's copies.
LEYDEN_INLINE I8Rows look_up_low(I8Rows table, I8Rows pair) {
  return {_mm512_permutexvar_epi8(pair.v, table.v)};
}
LEYDEN_INLINE I8Rows look_up_high(I8Rows table, I8Rows pair) {
  // The eight bits from every fourth on: shifted by the port that products leave idle
  const __m512i from = _mm512_set1_epi64(0x3c342c241c140c04);
  return {_mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(from, pair.v), table.v)};
}
#else
LEYDEN_INLINE I8Rows look_up_low(I8Rows table, I8Rows pair) {
  const __m512i low = _mm512_and_si512(pair.v, _mm512_set1_epi8(0x0f));
  return {_mm512_shuffle_epi8(table.v, low)};
}
LEYDEN_INLINE I8Rows look_up_high(I8Rows table, I8Rows pair) {
  const __m512i high = _mm512_and_si512(_mm512_srli_epi16(pair.v, 4), _mm512_set1_epi8(0x0f));
  return {_mm512_shuffle_epi8(table.v, high)};
}
#endif

/// acc + sum of 4 products per row: w as in dot_u7 or dot_offset128, the same quad at q for all
/// rows. Written as assembly with VNNI, because g++ 12 doesn't fold the broadcast into the
/// instruction's memory operand (67 instead of 78 % of the integer peak).
LEYDEN_INLINE I32Rows dot_u7(I32Rows acc, I8Rows w, const std::int8_t* q) {
#if defined(LEYDEN_ISA_avx512vnni)
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(acc.v)
      : "v"(w.v), "m"(*reinterpret_cast<const std::int8_t(*)[4]>(q)));
  return acc;
#else
  acc = dot_u7(acc, w, broadcast_quad(q));
  asm("" : "+v"(acc.v));  // or g++ turns the chain into a tree of sums and spills its leaves
  return acc;
#endif
}
/// int8 weights w + 128 as dot_offset128 wants them, and where its accumulator starts when `start`
/// takes the weights' offset out.
#if defined(LEYDEN_ISA_avx512vnni)
using OffsetRows = I8Rows;
LEYDEN_INLINE OffsetRows prepare_offset128(I8Rows w) { return w; }
LEYDEN_INLINE I32Rows start_rows_offset128(std::int32_t start) { return broadcast_rows(start); }
LEYDEN_INLINE I32Rows dot_offset128(I32Rows acc, OffsetRows w, const std::int8_t* q) {
  return dot_u7(acc, w, q);
}
#else
struct OffsetRows {
  I8Rows magnitude;
  __mmask64 negative;
};
LEYDEN_INLINE OffsetRows prepare_offset128(I8Rows w) {
  const __m512i signed_w = _mm512_xor_si512(w.v, _mm512_set1_epi8(static_cast<char>(0x80)));
  return {{_mm512_abs_epi8(signed_w)}, _mm512_movepi8_mask(signed_w)};
}
LEYDEN_INLINE I32Rows start_rows_offset128(std::int32_t) {  // the products are signed already
  return broadcast_rows(kFloatBiasBits);
}
LEYDEN_INLINE I32Rows dot_offset128(I32Rows acc, OffsetRows w, const std::int8_t* q) {
  const __m512i a = broadcast_quad(q).v;
  acc = dot_u7(acc, w.magnitude,
               I8Rows{_mm512_mask_sub_epi8(a, w.negative, _mm512_setzero_si512(), a)});
  asm("" : "+v"(acc.v));
  return acc;
}
#endif

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
