#include <bit>
#include <cmath>
#include <cstring>

#include "simd/bf16.h"
#include "simd/index_tile.h"
#include "simd/layout.h"
#include "simd/quantize_group.h"

namespace leyden::simd::scalar {

void index_store_f32(const float* key, int dim, std::byte* tile, int slot) noexcept {
  for (int d = 0; d < dim; ++d) {
    std::memcpy(tile + std::ptrdiff_t{d * kTileRows + slot} * 4, key + d, 4);
  }
}

void index_store_bf16(const float* key, int dim, std::byte* tile, int slot) noexcept {
  for (int d = 0; d < dim; ++d) {
    const std::uint16_t code = to_bf16(key[d]);
    std::memcpy(tile + std::ptrdiff_t{(d / 2 * kTileRows + slot) * 2 + d % 2} * 2, &code, 2);
  }
}

void index_store_int8(const float* key, int dim, std::byte* tile, int slot) noexcept {
  std::int8_t code[kMaxIndexDim];
  const float scale = quantize_group(key, dim, 127.0f, code);
  for (int d = 0; d < dim; ++d) {
    tile[(d / 4 * kTileRows + slot) * 4 + d % 4] = static_cast<std::byte>(code[d] + kInt8Offset);
  }
  std::memcpy(tile + std::ptrdiff_t{dim} * kTileRows + slot * 4, &scale, 4);
}

void index_quantize_query(const float* x, int n_heads, int dim, std::int8_t* q,
                          std::int32_t* q_start, float* weight) noexcept {
  for (int h = 0; h < n_heads; ++h) {
    std::int8_t* codes = q + std::ptrdiff_t{h} * dim;
    weight[h] *= quantize_group(x + std::ptrdiff_t{h} * dim, dim, kIndexQueryLimit, codes);
    q_start[h] = 0;
    for (int d = 0; d < dim; ++d) q_start[h] -= kInt8Offset * codes[d];
  }
}

}  // namespace leyden::simd::scalar
