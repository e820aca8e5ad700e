#pragma once

#include "simd/amx_tiles.h"
#include "simd/attend_fixed_layout.h"

/// Codes of fixed point (simd/attend.h) as bytes in the tile registers of AMX. A code c is the
/// bytes c = 256 c1 + c0, c1 signed and c0 unsigned; codes of int8 latents are their c1 alone.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kAmxKeyTiles = kKeyChunk / kAmxRows;      // of scores
constexpr int kAmxKeySteps = kKeyChunk / kAmxRowBytes;  // of outputs
constexpr int kAmxRunSteps = kFixedRun / kAmxRowBytes;  // of scores

constexpr int kAmxMaxRuns = 32;  // of a key

/// Widths that are whole tile registers, as those of all of DeepSeek's models are.
LEYDEN_INLINE bool has_amx_form(int key_dim, int rope_dim, int value_dim) {
  return key_dim % kAmxRowBytes == 0 && rope_dim % kAmxRowBytes == 0 &&
         value_dim % kAmxRowBytes == 0 && (rope_dim == 0 || key_dim % kFixedRun == 0) &&
         key_dim + rope_dim <= kAmxMaxRuns * kFixedRun;
}

/// c1 and c0 of 64 codes.
LEYDEN_INLINE void store_code_bytes(const I32x16 (&codes)[4], std::byte* high, std::byte* low) {
  alignas(kLine) static constexpr std::uint8_t kBytes[64] = {
      0,  4,  8,  12, 16, 20, 24, 28, 32, 36,  40,  44,  48,  52,  56,  60,
      64, 68, 72, 76, 80, 84, 88, 92, 96, 100, 104, 108, 112, 116, 120, 124,
      1,  5,  9,  13, 17, 21, 25, 29, 33, 37,  41,  45,  49,  53,  57,  61,
      65, 69, 73, 77, 81, 85, 89, 93, 97, 101, 105, 109, 113, 117, 121, 125};
  const __m512i bytes = _mm512_load_si512(kBytes);  // bytes 0 of two registers, then bytes 1
  const __m512i first = _mm512_permutex2var_epi8(codes[0].v, bytes, codes[1].v);
  const __m512i last = _mm512_permutex2var_epi8(codes[2].v, bytes, codes[3].v);
  _mm512_storeu_si512(low, _mm512_shuffle_i64x2(first, last, 0x44));
  _mm512_storeu_si512(high, _mm512_shuffle_i64x2(first, last, 0xee));
}

/// fix_row as bytes: width, a multiple of 64, of c1 and of c0.
template <Role kRole, typename Row>
LEYDEN_INLINE void fix_row_bytes(Row row, int width, std::byte* high, std::byte* low, float* scale,
                                 std::ptrdiff_t scale_stride) {
  for (int begin = 0; begin < width; begin += kFixedRun, scale += scale_stride) {
    const int stop = width - begin < kFixedRun ? width : begin + kFixedRun;
    const F32x16 factor = run_factor<kRole>(row, begin, stop, width, scale);
    for (int i = begin; i < stop; i += kAmxRowBytes) {
      I32x16 codes[4];
      LEYDEN_UNROLL
      for (int j = 0; j < 4; ++j) codes[j] = round_to_i32(row.at(i + 16 * j, width) * factor);
      store_code_bytes(codes, high + i, low + i);
    }
  }
}

/// n codes, a multiple of 32, as c1 and c0.
LEYDEN_INLINE void split_codes(const std::int16_t* codes, int n, std::byte* high, std::byte* low) {
  for (int i = 0; i < n; i += 32) {
    const __m512i c = _mm512_loadu_si512(codes + i);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + i),
                        _mm512_cvtepi16_epi8(_mm512_srli_epi16(c, 8)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(low + i), _mm512_cvtepi16_epi8(c));
  }
}

/// Sixteen rows of `width` bytes become the tile registers of scores [width / 64][kAmxKeyTiles],
/// `step` bytes from one to the next, of which those of key tile `tile` are written.
LEYDEN_INLINE void pack_key_bytes(const std::byte* rows, int width, int tile, std::ptrdiff_t step,
                                  std::byte* keys) {
  for (int d = 0; d < width; d += kAmxRowBytes) {
    F32x16 block[kAmxRows];
    LEYDEN_UNROLL
    for (int i = 0; i < kAmxRows; ++i) {
      const std::byte* from = rows + std::ptrdiff_t{i} * width + d;
      block[i] = bits_as_f32(load(reinterpret_cast<const std::int32_t*>(from)));
    }
    transpose(block);
    std::byte* to = keys + (d / kAmxRowBytes * kAmxKeyTiles + tile) * step;
    LEYDEN_UNROLL
    for (int i = 0; i < kAmxRows; ++i) {
      store(reinterpret_cast<std::int32_t*>(to + i * kAmxRowBytes), f32_as_bits(block[i]));
    }
  }
}

/// Sixteen rows of `width` bytes, keys `first` .., become rows of the tile registers of outputs
/// [width / 16][kAmxKeySteps], `step` bytes from one to the next.
LEYDEN_INLINE void pack_value_bytes(const std::byte* rows, int width, int first,
                                    std::ptrdiff_t step, std::byte* values) {
  std::byte* to = values + first / kAmxRowBytes * step + first % kAmxRowBytes / 4 * kAmxRowBytes;
  for (int i = 0; i < kAmxRows; i += 4, to += kAmxRowBytes) {
    for (int d = 0; d < width; d += kAmxRowBytes) {
      const std::byte* from = rows + std::ptrdiff_t{i} * width + d;
      const __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + width);
      const __m512i c = _mm512_loadu_si512(from + 2 * width);
      const __m512i e = _mm512_loadu_si512(from + 3 * width);
      const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
      const __m512i ce_low = _mm512_unpacklo_epi8(c, e), ce_high = _mm512_unpackhi_epi8(c, e);
      // Lane j of q[i] has dimensions 16 j + 4 i ..: four lanes by four registers change places.
      const __m512i q0 = _mm512_unpacklo_epi16(ab_low, ce_low);
      const __m512i q1 = _mm512_unpackhi_epi16(ab_low, ce_low);
      const __m512i q2 = _mm512_unpacklo_epi16(ab_high, ce_high);
      const __m512i q3 = _mm512_unpackhi_epi16(ab_high, ce_high);
      const __m512i q01_even = _mm512_shuffle_i32x4(q0, q1, 0x44);
      const __m512i q01_odd = _mm512_shuffle_i32x4(q0, q1, 0xee);
      const __m512i q23_even = _mm512_shuffle_i32x4(q2, q3, 0x44);
      const __m512i q23_odd = _mm512_shuffle_i32x4(q2, q3, 0xee);
      std::byte* tile = to + d / kAmxRows * kAmxKeySteps * step;
      _mm512_store_si512(tile, _mm512_shuffle_i32x4(q01_even, q23_even, 0x88));
      tile += kAmxKeySteps * step;
      _mm512_store_si512(tile, _mm512_shuffle_i32x4(q01_even, q23_even, 0xdd));
      tile += kAmxKeySteps * step;
      _mm512_store_si512(tile, _mm512_shuffle_i32x4(q01_odd, q23_odd, 0x88));
      tile += kAmxKeySteps * step;
      _mm512_store_si512(tile, _mm512_shuffle_i32x4(q01_odd, q23_odd, 0xdd));
    }
  }
}

/// Rows n .. 15 of kBytes kinds of bytes, [kBytes][16][width], become zeros, as do their scales.
template <int kBytes>
LEYDEN_INLINE void blank_bytes(std::byte* rows, int n, int width, float* scale) {
  for (int i = n; i < kAmxRows; ++i) {
    for (int b = 0; b < kBytes; ++b) {
      std::byte* const row = rows + (std::ptrdiff_t{b} * kAmxRows + i) * width;
      for (int d = 0; d < width; d += kLine) _mm512_storeu_si512(row + d, _mm512_setzero_si512());
    }
    for (int run = 0; run < n_runs(width); ++run) scale[run * kKeyChunk + i] = 0.0f;
  }
}

/// Both of these for keys `first` .., whose kBytes kinds of bytes lie in rows [kBytes][16][width].
template <int kBytes>
LEYDEN_INLINE void pack_keys(const std::byte* rows, int width, int first, std::byte* keys) {
  LEYDEN_UNROLL
  for (int b = 0; b < kBytes; ++b) {
    pack_key_bytes(rows + b * kAmxRows * width, width, first / kAmxRows, kBytes * kAmxBytes,
                   keys + b * kAmxBytes);
  }
}
template <int kBytes>
LEYDEN_INLINE void pack_values(const std::byte* rows, int width, int first, std::byte* values) {
  LEYDEN_UNROLL
  for (int b = 0; b < kBytes; ++b) {
    pack_value_bytes(rows + b * kAmxRows * width, width, first, kBytes * kAmxBytes,
                     values + b * kAmxBytes);
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
