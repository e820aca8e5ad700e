#pragma once

#include <cstddef>

namespace leyden::simd {

/// How the cache keeps one token of one layer: its latent c [kv_lora_rank] after the norm, then its
/// rotated key [rope_dim] (NUMERICS 4.2).
///   f32, bf16: plain values; bf16 rounds to nearest even.
///   int8: latents as int8, zero-padded to a multiple of 4; one f32 scale per kKvGroup of them
///         (simd/quantize_group.h says which); the key in bf16.
/// Rows are padded to whole 64-byte lines.
enum class KvFormat { kF32, kBf16, kInt8 };

/// Latents that share a scale in an int8 row; the last group may be shorter.
constexpr int kKvGroup = 128;

std::size_t kv_row_bytes(KvFormat format, int kv_lora_rank, int rope_dim);

/// Writes one row. latent [kv_lora_rank], rope [rope_dim]. The same bits on every ISA level.
using KvStoreFn = void(const float* latent, const float* rope, int kv_lora_rank, int rope_dim,
                       std::byte* row) noexcept;

/// Reads one row back as floats: out [kv_lora_rank + rope_dim].
using KvLoadFn = void(const std::byte* row, int kv_lora_rank, int rope_dim, float* out) noexcept;

}  // namespace leyden::simd
