#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace leyden::simd::LEYDEN_ISA {
namespace {

struct F32x16 {
  __m512 v;
};
struct I32x16 {
  __m512i v;
};
/// One bit per lane.
struct Mask16 {
  __mmask16 m;
};

LEYDEN_INLINE Mask16 first_lanes(int n) {  // n clamped to 0..16
  return {static_cast<__mmask16>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1u << n) - 1u)};
}
/// Lane i where bit i is set.
LEYDEN_INLINE Mask16 lanes_of(std::uint32_t bits) { return {static_cast<__mmask16>(bits)}; }
LEYDEN_INLINE std::uint32_t bits(Mask16 m) { return m.m; }

LEYDEN_INLINE F32x16 zero_f32() { return {_mm512_setzero_ps()}; }
LEYDEN_INLINE F32x16 broadcast(float x) { return {_mm512_set1_ps(x)}; }
LEYDEN_INLINE F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
/// Lanes from n on are zero and their memory is not touched.
LEYDEN_INLINE F32x16 load_first(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n).m, p)};
}
/// p[i / 2] in lane i: eight values, each twice.
LEYDEN_INLINE F32x16 load_doubled(const float* p) {
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  return {_mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(p)))};
}
/// Lane i ^ kDistance in lane i; kDistance is 1, 2, 4 or 8.
template <int kDistance>
LEYDEN_INLINE F32x16 swap_lanes(F32x16 x) {
  if constexpr (kDistance == 1) return {_mm512_permute_ps(x.v, 0xb1)};
  if constexpr (kDistance == 2) return {_mm512_permute_ps(x.v, 0x4e)};
  if constexpr (kDistance == 4) return {_mm512_shuffle_f32x4(x.v, x.v, 0xb1)};
  if constexpr (kDistance == 8) return {_mm512_shuffle_f32x4(x.v, x.v, 0x4e)};
}
LEYDEN_INLINE void store(float* p, F32x16 x) { _mm512_storeu_ps(p, x.v); }
LEYDEN_INLINE void store_first(float* p, F32x16 x, int n) {
  _mm512_mask_storeu_ps(p, first_lanes(n).m, x.v);
}
LEYDEN_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
LEYDEN_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
LEYDEN_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
LEYDEN_INLINE F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
/// a * b + c, rounded once.
LEYDEN_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
/// c - a * b, rounded once.
LEYDEN_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
/// a * b - c, rounded once.
LEYDEN_INLINE F32x16 fms(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmsub_ps(a.v, b.v, c.v)}; }
/// a * b - c in even lanes, a * b + c in odd ones, rounded once.
LEYDEN_INLINE F32x16 fms_fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fmaddsub_ps(a.v, b.v, c.v)};
}
/// a > b ? a : b per lane, so b where either is NaN: the reference says it in these words.
LEYDEN_INLINE F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
/// a < b ? a : b per lane.
LEYDEN_INLINE F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
LEYDEN_INLINE F32x16 abs(F32x16 a) { return {_mm512_abs_ps(a.v)}; }
/// False where either is NaN.
LEYDEN_INLINE Mask16 greater_equal(F32x16 a, F32x16 b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)};
}
/// False where either is NaN.
LEYDEN_INLINE Mask16 greater(F32x16 a, F32x16 b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)};
}
LEYDEN_INLINE F32x16 select(Mask16 m, F32x16 yes, F32x16 no) {
  return {_mm512_mask_blend_ps(m.m, no.v, yes.v)};
}
LEYDEN_INLINE I32x16 round_to_i32(F32x16 x) {
  return {_mm512_cvtps_epi32(x.v)};
}  // to nearest even
/// table[index] per lane, for a table of 8 or 16 floats in its first lanes.
LEYDEN_INLINE F32x16 look_up_8(F32x16 table, I32x16 index) {  // index in 0..7
  return {_mm512_permutexvar_ps(index.v, table.v)};
}
LEYDEN_INLINE F32x16 look_up_16(F32x16 table, I32x16 index) {  // index in 0..15
  return {_mm512_permutexvar_ps(index.v, table.v)};
}
LEYDEN_INLINE F32x16 to_f32(I32x16 x) { return {_mm512_cvtepi32_ps(x.v)}; }
LEYDEN_INLINE F32x16 bits_as_f32(I32x16 x) { return {_mm512_castsi512_ps(x.v)}; }
LEYDEN_INLINE I32x16 f32_as_bits(F32x16 x) { return {_mm512_castps_si512(x.v)}; }

LEYDEN_INLINE I32x16 zero_i32() { return {_mm512_setzero_si512()}; }
LEYDEN_INLINE I32x16 broadcast_i32(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
/// 0, 1, .. 15.
LEYDEN_INLINE I32x16 lane_numbers() {
  return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
}
LEYDEN_INLINE I32x16 load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
LEYDEN_INLINE void store(std::int32_t* p, I32x16 x) { _mm512_storeu_si512(p, x.v); }
LEYDEN_INLINE I32x16 operator+(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
LEYDEN_INLINE I32x16 operator&(I32x16 a, I32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
LEYDEN_INLINE I32x16 operator|(I32x16 a, I32x16 b) { return {_mm512_or_si512(a.v, b.v)}; }
LEYDEN_INLINE I32x16 max(I32x16 a, I32x16 b) { return {_mm512_max_epi32(a.v, b.v)}; }
template <int kBits>
LEYDEN_INLINE I32x16 shift_left(I32x16 x) {
  return {_mm512_slli_epi32(x.v, kBits)};
}
/// Zeros shift in.
template <int kBits>
LEYDEN_INLINE I32x16 shift_right(I32x16 x) {
  return {_mm512_srli_epi32(x.v, kBits)};
}
/// x + 1 in the chosen lanes.
LEYDEN_INLINE I32x16 count(I32x16 x, Mask16 m) {
  return {_mm512_mask_add_epi32(x.v, m.m, x.v, _mm512_set1_epi32(1))};
}
LEYDEN_INLINE Mask16 greater(I32x16 a, I32x16 b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
LEYDEN_INLINE Mask16 operator&(Mask16 a, Mask16 b) { return {static_cast<__mmask16>(a.m & b.m)}; }
LEYDEN_INLINE Mask16 operator|(Mask16 a, Mask16 b) { return {static_cast<__mmask16>(a.m | b.m)}; }
/// a and not b.
LEYDEN_INLINE Mask16 operator-(Mask16 a, Mask16 b) { return {static_cast<__mmask16>(a.m & ~b.m)}; }
/// The low 16 bits of every lane.
LEYDEN_INLINE void store_low16(std::uint16_t* p, I32x16 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(x.v));
}
/// Sixteen int32 in [-128, 127] to bytes.
LEYDEN_INLINE void store_i8(std::int8_t* p, I32x16 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x.v));
}

LEYDEN_INLINE F32x16 load_fp16(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
/// FP8 E4M3 codes as if 0x7f and 0xff were the numbers +-480. By way of fp16, which has an exponent
/// bit more: a hardware conversion that knows subnormals, whatever denormals-are-zero says.
LEYDEN_INLINE F32x16 load_e4m3(const std::uint8_t* p) {
  const __m256i codes = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  // Two copies of the sign reach bits 15 and 14; the latter is the exponent's.
  const __m256i half =
      _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(static_cast<short>(0xbfff)));
  return {_mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(0x1p8f))};
}
/// To nearest even; overflow becomes infinity.
LEYDEN_INLINE void store_fp16(std::uint16_t* p, F32x16 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
LEYDEN_INLINE F32x16 load_bf16(const std::uint16_t* p) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16))};
}
LEYDEN_INLINE F32x16 load_bf16_first(const std::uint16_t* p, int n) {
  const __m256i x = _mm256_maskz_loadu_epi16(first_lanes(n).m, p);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16))};
}
LEYDEN_INLINE F32x16 load_i8_as_f32(const std::int8_t* p) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x))};
}

LEYDEN_INLINE I32x16 load_u16(const std::uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
LEYDEN_INLINE I32x16 load_i8(const std::int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}

/// Rows become columns: afterwards lane j of r[i] is what lane i of r[j] was.
LEYDEN_INLINE void transpose(F32x16 (&r)[16]) {
  __m512 a[16], b[16];
  LEYDEN_UNROLL
  for (int i = 0; i < 16; i += 2) {  // pairs of rows, in 128-bit quarters
    a[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
    a[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  LEYDEN_UNROLL
  for (int i = 0; i < 16; i += 4) {  // b[i + c]: lane 4q + j = row i + j, column 4q + c
    b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  LEYDEN_UNROLL
  for (int c = 0; c < 4; ++c) {  // quarters change places
    const __m512 low01 = _mm512_shuffle_f32x4(b[c], b[c + 4], 0x44);
    const __m512 high01 = _mm512_shuffle_f32x4(b[c], b[c + 4], 0xee);
    const __m512 low23 = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0x44);
    const __m512 high23 = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0xee);
    r[c].v = _mm512_shuffle_f32x4(low01, low23, 0x88);
    r[c + 4].v = _mm512_shuffle_f32x4(low01, low23, 0xdd);
    r[c + 8].v = _mm512_shuffle_f32x4(high01, high23, 0x88);
    r[c + 12].v = _mm512_shuffle_f32x4(high01, high23, 0xdd);
  }
}

LEYDEN_INLINE float first_lane(F32x16 x) { return _mm512_cvtss_f32(x.v); }
/// The fixed tree over lanes: halves of distance 8, 4, 2, 1 are added (or maximised).
LEYDEN_INLINE float fold_add(F32x16 x) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
}
LEYDEN_INLINE std::int32_t fold_add(I32x16 x) { return _mm512_reduce_add_epi32(x.v); }
LEYDEN_INLINE float fold_max(F32x16 x) {
  const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
}

LEYDEN_INLINE std::int32_t fold_max(I32x16 x) { return _mm512_reduce_max_epi32(x.v); }

/// Stores the chosen lanes next to each other; returns how many. There must be room for 16: a full
/// register is written, because compressing into memory is microcode on Zen 4.
LEYDEN_INLINE int compress_store(float* p, F32x16 x, Mask16 m) {
  _mm512_storeu_ps(p, _mm512_maskz_compress_ps(m.m, x.v));
  return __builtin_popcount(m.m);
}
LEYDEN_INLINE int compress_store(std::int32_t* p, I32x16 x, Mask16 m) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(m.m, x.v));
  return __builtin_popcount(m.m);
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
