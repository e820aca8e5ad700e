#include "simd/pack.h"

#include "simd/bf16.h"
#include "simd/pack_scales.h"
#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// 16 columns of a block from rows whose n_cols (>= 1) weights begin there.
LEYDEN_INLINE I32x16 pack_16_columns(const float* rows, std::ptrdiff_t row_stride, int n_rows,
                                     int n_cols, float* columns) {
  F32x16 r[16];
  LEYDEN_UNROLL
  for (int i = 0; i < 16; ++i) {
    const float* row = rows + i * row_stride;
    r[i] = i >= n_rows ? zero_f32() : n_cols >= 16 ? load(row) : load_first(row, n_cols);
  }
  I32x16 largest = zero_i32();  // magnitudes as integers: NaN above infinity above all else
  LEYDEN_UNROLL
  for (int i = 0; i < 16; ++i) largest = max(largest, f32_as_bits(abs(r[i])));
  transpose(r);
  LEYDEN_UNROLL
  for (int i = 0; i < 16; ++i) store(columns + i * kTileRows, r[i]);
  return largest;
}

LEYDEN_INLINE I32x16 int8_code(F32x16 weight, F32x16 inverse) {
  return round_to_i32(weight * inverse) + broadcast_i32(kInt8Offset);
}

}  // namespace

float pack_columns(const float* rows, std::ptrdiff_t row_stride, int n_rows, int n_cols,
                   float* columns) noexcept {
  I32x16 largest = zero_i32();
  for (int c = 0; c < kBlock; c += 16) {
    float* const to = columns + c * kTileRows;
    if (c < n_cols) {
      largest = max(largest, pack_16_columns(rows + c, row_stride, n_rows, n_cols - c, to));
    } else {
      for (int i = 0; i < 16; ++i) store(to + i * kTileRows, zero_f32());
    }
  }
  std::int32_t lanes[16], most = 0;
  store(lanes, largest);
  for (const std::int32_t lane : lanes) most = lane > most ? lane : most;
  float magnitude;
  __builtin_memcpy(&magnitude, &most, sizeof magnitude);
  return magnitude;
}

void pack_bf16(const float* columns, std::byte* block) noexcept {
  for (int pair = 0; pair < kBlock / 2; ++pair) {
    const float* const even = columns + 2 * pair * kTileRows;
    const I32x16 low = to_bf16(load(even)), high = to_bf16(load(even + kTileRows));
    store(reinterpret_cast<std::int32_t*>(block) + pair * kTileRows, low + shift_left<16>(high));
  }
}

void pack_int8(const float* columns, std::byte* block) noexcept {
  auto* const quads = reinterpret_cast<std::int32_t*>(block + kBlockScaleBytes);
  for (int g = 0; g < kGroupsPerBlock; ++g) {
    const float* const group = columns + g * kGroup * kTileRows;
    F32x16 largest = zero_f32();
    for (int k = 0; k < kGroup; ++k) largest = max(abs(load(group + k * kTileRows)), largest);
    const F32x16 exact = largest / broadcast(127.0f);
    // Half a step more makes rounding to nearest a rounding up.
    const F32x16 up = select(greater(broadcast(0x1p-14f), exact), broadcast(0x1p-25f), zero_f32());
    const F32x16 inverse = store_scales(exact + up, block + g * kTileRows * 2);
    for (int quad = 0; quad < kGroup / 4; ++quad) {
      const float* const four = group + 4 * quad * kTileRows;
      const I32x16 low = int8_code(load(four), inverse) +
                         shift_left<8>(int8_code(load(four + kTileRows), inverse));
      const I32x16 high = int8_code(load(four + 2 * kTileRows), inverse) +
                          shift_left<8>(int8_code(load(four + 3 * kTileRows), inverse));
      store(quads + (g * kGroup / 4 + quad) * kTileRows, low + shift_left<16>(high));
    }
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
