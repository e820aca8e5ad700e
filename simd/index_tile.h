#pragma once

#include <cstddef>
#include <cstdint>

namespace leyden::simd {

/// How the cache keeps the indexer's keys: tiles of 16 keys, so that a lane is a key.
///   f32  [dim][16 keys] f32
///   bf16 [dim / 2][16 keys][2] bf16, rounded to nearest even
///   int8 [dim / 4][16 keys][4] u8 = k + 128, then [16 keys] f32 scales
/// A tile begins at a 64-byte line.
enum class IndexFormat { kF32, kBf16, kInt8 };

/// dim is a power of two (for the Hadamard rotation) from kMinIndexDim to kMaxIndexDim; whoever
/// reads a model's sizes refuses others (formats/model_config_check.cc).
constexpr int kMinIndexDim = 4;
constexpr int kMaxIndexDim = 128;

/// Query codes lie in [-63, 63]: 2 * 255 * 63 < 2^15, so that AVX2's vpmaddubsw can't saturate on
/// keys of 8 bits. A head's rounding error is then 1.2 % of its length (0.6 % with 127; 2.6 % for
/// the original's E4M3 codes), a key's 0.6 %.
constexpr float kIndexQueryLimit = 63.0f;

std::size_t index_tile_bytes(IndexFormat format, int dim);

/// Puts key [dim] into slot 0..15 of a tile; int8 has one scale per key (simd/quantize_group.h).
/// The other slots stay as they are. The same bits on every ISA level.
using IndexStoreFn = void(const float* key, int dim, std::byte* tile, int slot) noexcept;

/// Quantizes the query of one token, x [n_heads, dim], with one scale per head and codes up to
/// kIndexQueryLimit (simd/quantize_group.h):
///   q [n_heads, dim]; q_start[h] = -128 * sum of q over the head; weight[h] *= scale of head h.
/// The same bits on every ISA level.
using IndexQuantizeQueryFn = void(const float* x, int n_heads, int dim, std::int8_t* q,
                                  std::int32_t* q_start, float* weight) noexcept;

}  // namespace leyden::simd
