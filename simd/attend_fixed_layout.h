#pragma once

#include "simd/attend_fixed.h"

/// Where a chunk under construction lies in the caller's scratch, for the kernels that pack one.
namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Hands out the caller's scratch, line by line. simd/attend.cc counts the same pieces.
struct Pieces {
  std::byte* next;
  template <typename T>
  [[gnu::always_inline]] T* take(std::ptrdiff_t n) {
    T* piece = reinterpret_cast<T*>(next);
    next += (n * static_cast<std::ptrdiff_t>(sizeof(T)) + kLine - 1) / kLine * kLine;
    return piece;
  }
};

/// What a packed chunk points to, and sixteen rows of codes.
struct Packing {
  std::int32_t* keys;
  float* key_scale;
  std::int32_t* values;
  float* value_scale;
  float* value_top;
  std::int16_t* codes;
  FixedScratch scratch;
  std::byte* query;  // bytes of kTileRows queries (simd/attend_fixed_amx.h)
};

/// key_width: padded codes of a key, all sections.
LEYDEN_INLINE Packing lay_out(std::byte* memory, int key_width, int key_runs, int value_dim) {
  Pieces pieces{memory};
  const std::ptrdiff_t key_cells = key_width / 2;
  const int value_width = padded(value_dim);
  const int value_runs = n_runs(value_dim);
  Packing p;
  p.keys = pieces.take<std::int32_t>(kKeyChunk * key_cells);
  p.key_scale = pieces.take<float>(std::ptrdiff_t{key_runs} * kKeyChunk);
  p.values = pieces.take<std::int32_t>(std::ptrdiff_t{kKeyChunk / 2} * value_width);
  p.value_scale = pieces.take<float>(std::ptrdiff_t{value_runs} * kKeyChunk);
  p.value_top = pieces.take<float>(std::ptrdiff_t{value_runs} * kKeyChunk);
  p.codes = pieces.take<std::int16_t>(std::ptrdiff_t{kTileRows} *
                                      (key_width > value_width ? key_width : value_width));
  p.scratch.score = pieces.take<float>(std::ptrdiff_t{kFixedRows} * kKeyChunk);
  p.scratch.w = pieces.take<std::int16_t>(std::ptrdiff_t{kFixedRows} * value_runs * kKeyChunk);
  p.scratch.w_scale = pieces.take<float>(std::ptrdiff_t{kFixedRows} * value_runs);
  p.query = pieces.take<std::byte>(std::ptrdiff_t{2} * kTileRows * key_width);
  return p;
}

/// Missing rows of a sixteen: codes and scales of zero.
LEYDEN_INLINE void blank_rows(std::int16_t* codes, int n, int width, float* scale, int runs) {
  for (int i = n; i < kTileRows; ++i) {
    for (int d = 0; d < width; d += 16) store_codes(codes + i * width + d, zero_i32());
    for (int run = 0; run < runs; ++run) scale[run * kKeyChunk + i] = 0.0f;
  }
}

/// Largest scales so far, per run of values; NaN from the first NaN on.
LEYDEN_INLINE void find_tops(const Packing& p, int n_keys, int value_runs) {
  for (int run = 0; run < value_runs; ++run) {
    float top = 0.0f;
    for (int k = 0; k < n_keys; ++k) {
      const float scale = p.value_scale[run * kKeyChunk + k];
      if (scale > top || __builtin_isnan(scale)) top = scale;
      p.value_top[run * kKeyChunk + k] = top;
    }
  }
}

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
