#include "simd/index_tile.h"

#include "simd/bf16.h"
#include "simd/layout.h"
#include "simd/quantize_group.h"
#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {

void index_store_f32(const float* key, int dim, std::byte* tile, int slot) noexcept {
  float* out = reinterpret_cast<float*>(tile) + slot;
  for (int d = 0; d < dim; ++d) out[std::ptrdiff_t{d} * kTileRows] = key[d];
}

void index_store_bf16(const float* key, int dim, std::byte* tile, int slot) noexcept {
  std::uint16_t code[kMaxIndexDim];
  store_bf16(code, key, dim);
  for (int d = 0; d < dim; d += 2) {
    __builtin_memcpy(tile + std::ptrdiff_t{d / 2 * kTileRows + slot} * 4, code + d, 4);
  }
}

void index_store_int8(const float* key, int dim, std::byte* tile, int slot) noexcept {
  std::int8_t code[kMaxIndexDim];
  const float scale = quantize_group(key, dim, 127.0f, code);
  for (int d = 0; d < dim; d += 4) {
    std::uint32_t quad;
    __builtin_memcpy(&quad, code + d, 4);
    quad ^= 0x80808080;  // + 128
    __builtin_memcpy(tile + std::ptrdiff_t{d / 4 * kTileRows + slot} * 4, &quad, 4);
  }
  __builtin_memcpy(tile + std::ptrdiff_t{dim} * kTileRows + slot * 4, &scale, 4);
}

void index_quantize_query(const float* x, int n_heads, int dim, std::int8_t* q,
                          std::int32_t* q_start, float* weight) noexcept {
  for (int h = 0; h < n_heads; ++h) {
    std::int8_t* codes = q + std::ptrdiff_t{h} * dim;
    weight[h] *= quantize_group(x + std::ptrdiff_t{h} * dim, dim, kIndexQueryLimit, codes);
    std::int32_t sum = 0;
    for (int d = 0; d < dim; ++d) sum += codes[d];
    q_start[h] = -kInt8Offset * sum;
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
