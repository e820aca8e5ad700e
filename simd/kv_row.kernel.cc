#include "simd/kv_row.h"

#include "simd/bf16.h"
#include "simd/layout.h"
#include "simd/quantize_group.h"
#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

LEYDEN_INLINE void narrow(const float* x, int n, std::byte* to) {
  store_bf16(reinterpret_cast<std::uint16_t*>(to), x, n);
}

LEYDEN_INLINE void widen(const std::byte* from, int n, float* x) {
  const auto* in = reinterpret_cast<const std::uint16_t*>(from);
  int i = 0;
  for (; i + 16 <= n; i += 16) store(x + i, load_bf16(in + i));
  if (i < n) store_first(x + i, load_bf16_first(in + i, n - i), n - i);
}

LEYDEN_INLINE void copy(const float* from, int n, float* to) {
  for (int i = 0; i < n; i += 16) store_first(to + i, load_first(from + i, n - i), n - i);
}

/// Where the scales of an int8 row begin, and its bf16 key.
LEYDEN_INLINE int scales_at(int kv_lora_rank) { return (kv_lora_rank + 3) / 4 * 4; }
LEYDEN_INLINE int rope_at(int kv_lora_rank) {
  return scales_at(kv_lora_rank) + (kv_lora_rank + kKvGroup - 1) / kKvGroup * 4;
}

}  // namespace

void kv_store_f32(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                  std::byte* row) noexcept {
  auto* out = reinterpret_cast<float*>(row);
  copy(latent, kv_lora_rank, out);
  copy(rope, rope_dim, out + kv_lora_rank);
}

void kv_load_f32(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept {
  copy(reinterpret_cast<const float*>(row), kv_lora_rank + rope_dim, out);
}

void kv_store_bf16(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                   std::byte* row) noexcept {
  narrow(latent, kv_lora_rank, row);
  narrow(rope, rope_dim, row + std::ptrdiff_t{kv_lora_rank} * 2);
}

void kv_load_bf16(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept {
  widen(row, kv_lora_rank + rope_dim, out);
}

void kv_store_int8(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                   std::byte* row) noexcept {
  auto* codes = reinterpret_cast<std::int8_t*>(row);
  for (int i = kv_lora_rank; i < scales_at(kv_lora_rank); ++i) codes[i] = 0;
  for (int begin = 0; begin < kv_lora_rank; begin += kKvGroup) {
    const int left = kv_lora_rank - begin;
    const float scale =
        quantize_group(latent + begin, left < kKvGroup ? left : kKvGroup, 127.0f, codes + begin);
    __builtin_memcpy(row + scales_at(kv_lora_rank) + begin / kKvGroup * 4, &scale, 4);
  }
  narrow(rope, rope_dim, row + rope_at(kv_lora_rank));
}

void kv_load_int8(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept {
  const auto* codes = reinterpret_cast<const std::int8_t*>(row);
  for (int i = 0; i < kv_lora_rank; i += 16) {
    float scale;
    __builtin_memcpy(&scale, row + scales_at(kv_lora_rank) + i / kKvGroup * 4, 4);
    const int n = kv_lora_rank - i;
    std::int8_t last[16] = {};
    if (n < 16) __builtin_memcpy(last, codes + i, static_cast<std::size_t>(n));
    store_first(out + i, load_i8_as_f32(n < 16 ? last : codes + i) * broadcast(scale), n);
  }
  widen(row + rope_at(kv_lora_rank), rope_dim, out + kv_lora_rank);
}

}  // namespace leyden::simd::LEYDEN_ISA
