#include <algorithm>
#include <cstdint>
#include <cstring>

#include "simd/bf16.h"
#include "simd/kv_row.h"
#include "simd/layout.h"
#include "simd/quantize_group.h"

namespace leyden::simd::scalar {
namespace {

void store_bf16(const float* x, int n, std::byte* to) {
  for (int i = 0; i < n; ++i) {
    const std::uint16_t code = to_bf16(x[i]);
    std::memcpy(to + 2 * i, &code, 2);
  }
}

void load_bf16(const std::byte* from, int n, float* x) {
  for (int i = 0; i < n; ++i) {
    std::uint16_t code;
    std::memcpy(&code, from + 2 * i, 2);
    x[i] = from_bf16(code);
  }
}

/// Where the scales of an int8 row begin, and its bf16 key.
int scales_at(int kv_lora_rank) { return (kv_lora_rank + 3) / 4 * 4; }
int rope_at(int kv_lora_rank) {
  return scales_at(kv_lora_rank) + (kv_lora_rank + kKvGroup - 1) / kKvGroup * 4;
}

}  // namespace

void kv_store_f32(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                  std::byte* row) noexcept {
  std::memcpy(row, latent, static_cast<std::size_t>(kv_lora_rank) * 4);
  std::memcpy(row + std::ptrdiff_t{kv_lora_rank} * 4, rope, static_cast<std::size_t>(rope_dim) * 4);
}

void kv_load_f32(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept {
  std::memcpy(out, row, static_cast<std::size_t>(kv_lora_rank + rope_dim) * 4);
}

void kv_store_bf16(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                   std::byte* row) noexcept {
  store_bf16(latent, kv_lora_rank, row);
  store_bf16(rope, rope_dim, row + std::ptrdiff_t{kv_lora_rank} * 2);
}

void kv_load_bf16(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept {
  load_bf16(row, kv_lora_rank + rope_dim, out);
}

void kv_store_int8(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                   std::byte* row) noexcept {
  std::memset(row, 0, static_cast<std::size_t>(scales_at(kv_lora_rank)));
  for (int begin = 0; begin < kv_lora_rank; begin += kKvGroup) {
    const float scale = quantize_group(latent + begin, std::min(kKvGroup, kv_lora_rank - begin),
                                       127.0f, reinterpret_cast<std::int8_t*>(row) + begin);
    std::memcpy(row + scales_at(kv_lora_rank) + begin / kKvGroup * 4, &scale, 4);
  }
  store_bf16(rope, rope_dim, row + rope_at(kv_lora_rank));
}

void kv_load_int8(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept {
  for (int i = 0; i < kv_lora_rank; ++i) {
    float scale;
    std::memcpy(&scale, row + scales_at(kv_lora_rank) + i / kKvGroup * 4, 4);
    out[i] = static_cast<float>(static_cast<std::int8_t>(row[i])) * scale;
  }
  load_bf16(row + rope_at(kv_lora_rank), rope_dim, out + kv_lora_rank);
}

}  // namespace leyden::simd::scalar
