#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace leyden::simd::LEYDEN_ISA {
namespace {

// Lanes 0..7 in lo, 8..15 in hi. The contracts are those of vec_avx512.h, word for word.

struct F32x16 {
  __m256 lo, hi;
};
struct I32x16 {
  __m256i lo, hi;
};
struct Mask16 {
  __m256i lo, hi;  // all ones per chosen lane
};

LEYDEN_INLINE __m256i lanes_below(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
LEYDEN_INLINE Mask16 first_lanes(int n) { return {lanes_below(n), lanes_below(n - 8)}; }
/// Lane i where bit i is set.
LEYDEN_INLINE Mask16 lanes_of(std::uint32_t bits) {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(bits));
  const __m256i one = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i next = _mm256_slli_epi32(one, 8);
  return {_mm256_cmpeq_epi32(_mm256_and_si256(all, one), one),
          _mm256_cmpeq_epi32(_mm256_and_si256(all, next), next)};
}
LEYDEN_INLINE std::uint32_t bits(Mask16 m) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(m.lo))) |
         static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(m.hi))) << 8;
}

LEYDEN_INLINE F32x16 zero_f32() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
LEYDEN_INLINE F32x16 broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
LEYDEN_INLINE F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
LEYDEN_INLINE F32x16 load_first(const float* p, int n) {
  const Mask16 m = first_lanes(n);
  return {_mm256_maskload_ps(p, m.lo), _mm256_maskload_ps(p + 8, m.hi)};
}
LEYDEN_INLINE F32x16 load_doubled(const float* p) {
  const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  return {_mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), twice),
          _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), twice)};
}
template <int kDistance>
LEYDEN_INLINE F32x16 swap_lanes(F32x16 x) {
  if constexpr (kDistance == 1)
    return {_mm256_permute_ps(x.lo, 0xb1), _mm256_permute_ps(x.hi, 0xb1)};
  if constexpr (kDistance == 2)
    return {_mm256_permute_ps(x.lo, 0x4e), _mm256_permute_ps(x.hi, 0x4e)};
  if constexpr (kDistance == 4) {
    return {_mm256_permute2f128_ps(x.lo, x.lo, 1), _mm256_permute2f128_ps(x.hi, x.hi, 1)};
  }
  if constexpr (kDistance == 8) return {x.hi, x.lo};
}
LEYDEN_INLINE void store(float* p, F32x16 x) {
  _mm256_storeu_ps(p, x.lo);
  _mm256_storeu_ps(p + 8, x.hi);
}
LEYDEN_INLINE void store_first(float* p, F32x16 x, int n) {
  const Mask16 m = first_lanes(n);
  _mm256_maskstore_ps(p, m.lo, x.lo);
  _mm256_maskstore_ps(p + 8, m.hi, x.hi);
}
LEYDEN_INLINE F32x16 operator+(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
LEYDEN_INLINE F32x16 operator-(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
LEYDEN_INLINE F32x16 operator*(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
LEYDEN_INLINE F32x16 operator/(F32x16 a, F32x16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
LEYDEN_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
LEYDEN_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
LEYDEN_INLINE F32x16 fms(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmsub_ps(a.lo, b.lo, c.lo), _mm256_fmsub_ps(a.hi, b.hi, c.hi)};
}
LEYDEN_INLINE F32x16 fms_fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmaddsub_ps(a.lo, b.lo, c.lo), _mm256_fmaddsub_ps(a.hi, b.hi, c.hi)};
}
LEYDEN_INLINE F32x16 max(F32x16 a, F32x16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
LEYDEN_INLINE F32x16 min(F32x16 a, F32x16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
LEYDEN_INLINE F32x16 abs(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
LEYDEN_INLINE Mask16 greater_equal(F32x16 a, F32x16 b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.lo, b.lo, _CMP_GE_OQ)),
          _mm256_castps_si256(_mm256_cmp_ps(a.hi, b.hi, _CMP_GE_OQ))};
}
LEYDEN_INLINE Mask16 greater(F32x16 a, F32x16 b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ)),
          _mm256_castps_si256(_mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ))};
}
LEYDEN_INLINE F32x16 select(Mask16 m, F32x16 yes, F32x16 no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, _mm256_castsi256_ps(m.lo)),
          _mm256_blendv_ps(no.hi, yes.hi, _mm256_castsi256_ps(m.hi))};
}
LEYDEN_INLINE I32x16 round_to_i32(F32x16 x) {
  return {_mm256_cvtps_epi32(x.lo), _mm256_cvtps_epi32(x.hi)};
}
LEYDEN_INLINE F32x16 look_up_8(F32x16 table, I32x16 index) {
  return {_mm256_permutevar8x32_ps(table.lo, index.lo),
          _mm256_permutevar8x32_ps(table.lo, index.hi)};
}
LEYDEN_INLINE __m256 look_up_16(F32x16 table, __m256i index) {  // bit 3 moves to the sign
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(table.lo, index),
                          _mm256_permutevar8x32_ps(table.hi, index),
                          _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
LEYDEN_INLINE F32x16 look_up_16(F32x16 table, I32x16 index) {
  return {look_up_16(table, index.lo), look_up_16(table, index.hi)};
}
LEYDEN_INLINE F32x16 to_f32(I32x16 x) {
  return {_mm256_cvtepi32_ps(x.lo), _mm256_cvtepi32_ps(x.hi)};
}
LEYDEN_INLINE F32x16 bits_as_f32(I32x16 x) {
  return {_mm256_castsi256_ps(x.lo), _mm256_castsi256_ps(x.hi)};
}
LEYDEN_INLINE I32x16 f32_as_bits(F32x16 x) {
  return {_mm256_castps_si256(x.lo), _mm256_castps_si256(x.hi)};
}

LEYDEN_INLINE I32x16 zero_i32() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
LEYDEN_INLINE I32x16 broadcast_i32(std::int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
LEYDEN_INLINE I32x16 lane_numbers() {
  return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
          _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
}
LEYDEN_INLINE __m256i load_256(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
LEYDEN_INLINE void store_256(void* p, __m256i x) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), x);
}
LEYDEN_INLINE I32x16 load(const std::int32_t* p) { return {load_256(p), load_256(p + 8)}; }
LEYDEN_INLINE void store(std::int32_t* p, I32x16 x) {
  store_256(p, x.lo);
  store_256(p + 8, x.hi);
}
LEYDEN_INLINE I32x16 operator+(I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
LEYDEN_INLINE I32x16 operator&(I32x16 a, I32x16 b) {
  return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
LEYDEN_INLINE I32x16 operator|(I32x16 a, I32x16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
LEYDEN_INLINE I32x16 max(I32x16 a, I32x16 b) {
  return {_mm256_max_epi32(a.lo, b.lo), _mm256_max_epi32(a.hi, b.hi)};
}
template <int kBits>
LEYDEN_INLINE I32x16 shift_left(I32x16 x) {
  return {_mm256_slli_epi32(x.lo, kBits), _mm256_slli_epi32(x.hi, kBits)};
}
template <int kBits>
LEYDEN_INLINE I32x16 shift_right(I32x16 x) {
  return {_mm256_srli_epi32(x.lo, kBits), _mm256_srli_epi32(x.hi, kBits)};
}
LEYDEN_INLINE I32x16 count(I32x16 x, Mask16 m) {  // a chosen lane of m is -1
  return {_mm256_sub_epi32(x.lo, m.lo), _mm256_sub_epi32(x.hi, m.hi)};
}
LEYDEN_INLINE Mask16 greater(I32x16 a, I32x16 b) {
  return {_mm256_cmpgt_epi32(a.lo, b.lo), _mm256_cmpgt_epi32(a.hi, b.hi)};
}
LEYDEN_INLINE Mask16 operator&(Mask16 a, Mask16 b) {
  return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
LEYDEN_INLINE Mask16 operator|(Mask16 a, Mask16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
LEYDEN_INLINE Mask16 operator-(Mask16 a, Mask16 b) {
  return {_mm256_andnot_si256(b.lo, a.lo), _mm256_andnot_si256(b.hi, a.hi)};
}
LEYDEN_INLINE void store_low16(std::uint16_t* p, I32x16 x) {
  const __m256i low = _mm256_set1_epi32(0xffff);
  const __m256i words =
      _mm256_packus_epi32(_mm256_and_si256(x.lo, low), _mm256_and_si256(x.hi, low));
  store_256(p, _mm256_permute4x64_epi64(words, 0xd8));
}
LEYDEN_INLINE void store_i8(std::int8_t* p, I32x16 x) {
  const __m256i words = _mm256_packs_epi32(x.lo, x.hi);  // 0-3 8-11 | 4-7 12-15
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}

LEYDEN_INLINE __m128i load_128(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
LEYDEN_INLINE F32x16 load_fp16(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 8))};
}
LEYDEN_INLINE F32x16 load_e4m3(const std::uint8_t* p) {
  const __m256i codes = _mm256_cvtepi8_epi16(load_128(p));
  const __m256i half =
      _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(static_cast<short>(0xbfff)));
  const __m256 rebase = _mm256_set1_ps(0x1p8f);
  return {_mm256_mul_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(half)), rebase),
          _mm256_mul_ps(_mm256_cvtph_ps(_mm256_extracti128_si256(half, 1)), rebase)};
}
LEYDEN_INLINE void store_fp16(std::uint16_t* p, F32x16 x) {
  constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.lo, kRounding));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(x.hi, kRounding));
}
LEYDEN_INLINE __m256 widen_bf16(__m128i x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}
LEYDEN_INLINE F32x16 load_bf16(const std::uint16_t* p) {
  return {widen_bf16(load_128(p)), widen_bf16(load_128(p + 8))};
}
LEYDEN_INLINE F32x16 load_bf16_first(const std::uint16_t* p, int n) {
  std::uint16_t whole[16] = {};
  for (int i = 0; i < n && i < 16; ++i) whole[i] = p[i];
  return load_bf16(whole);
}
LEYDEN_INLINE F32x16 load_i8_as_f32(const std::int8_t* p) {
  const __m128i x = load_128(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)))};
}

LEYDEN_INLINE I32x16 load_u16(const std::uint16_t* p) {
  return {_mm256_cvtepu16_epi32(load_128(p)), _mm256_cvtepu16_epi32(load_128(p + 8))};
}
LEYDEN_INLINE I32x16 load_i8(const std::int8_t* p) {
  const __m128i x = load_128(p);
  return {_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8))};
}

/// Eight rows of eight.
LEYDEN_INLINE void transpose8(__m256 (&r)[8]) {
  __m256 a[8], b[8];
  LEYDEN_UNROLL
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  LEYDEN_UNROLL
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  LEYDEN_UNROLL
  for (int c = 0; c < 4; ++c) {
    r[c] = _mm256_permute2f128_ps(b[c], b[c + 4], 0x20);
    r[c + 4] = _mm256_permute2f128_ps(b[c], b[c + 4], 0x31);
  }
}
LEYDEN_INLINE void transpose(F32x16 (&r)[16]) {
  __m256 ul[8], ur[8], dl[8], dr[8];  // the four quarters: up left, up right, down left, down right
  LEYDEN_UNROLL
  for (int i = 0; i < 8; ++i) {
    ul[i] = r[i].lo;
    ur[i] = r[i].hi;
    dl[i] = r[i + 8].lo;
    dr[i] = r[i + 8].hi;
  }
  transpose8(ul);
  transpose8(ur);
  transpose8(dl);
  transpose8(dr);
  LEYDEN_UNROLL
  for (int i = 0; i < 8; ++i) {
    r[i] = {ul[i], dl[i]};
    r[i + 8] = {ur[i], dr[i]};
  }
}

LEYDEN_INLINE float first_lane(F32x16 x) { return _mm256_cvtss_f32(x.lo); }
LEYDEN_INLINE float fold_add(F32x16 x) {
  const __m256 a = _mm256_add_ps(x.lo, x.hi);
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
}
LEYDEN_INLINE std::int32_t fold_add(I32x16 x) {
  const __m256i a = _mm256_add_epi32(x.lo, x.hi);
  const __m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i c = _mm_add_epi32(b, _mm_unpackhi_epi64(b, b));
  return _mm_cvtsi128_si32(_mm_add_epi32(c, _mm_shuffle_epi32(c, 1)));
}
LEYDEN_INLINE float fold_max(F32x16 x) {
  const __m256 a = _mm256_max_ps(x.lo, x.hi);
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
}

LEYDEN_INLINE std::int32_t fold_max(I32x16 x) {
  const __m256i a = _mm256_max_epi32(x.lo, x.hi);
  const __m128i b = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i c = _mm_max_epi32(b, _mm_unpackhi_epi64(b, b));
  return _mm_cvtsi128_si32(_mm_max_epi32(c, _mm_shuffle_epi32(c, 1)));
}

LEYDEN_INLINE int compress_store(float* p, F32x16 x, Mask16 m) {
  float lanes[16];
  store(lanes, x);
  int n = 0;
  for (std::uint32_t left = bits(m); left != 0; left &= left - 1) {
    p[n++] = lanes[__builtin_ctz(left)];
  }
  return n;
}
LEYDEN_INLINE int compress_store(std::int32_t* p, I32x16 x, Mask16 m) {
  std::int32_t lanes[16];
  store(lanes, x);
  int n = 0;
  for (std::uint32_t left = bits(m); left != 0; left &= left - 1) {
    p[n++] = lanes[__builtin_ctz(left)];
  }
  return n;
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
