#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/top_k.h"

namespace leyden::simd {

/// How the cache keeps the indexer's keys: tiles of 16 keys, so that a lane is a key.
///   f32  [dim][16 keys] f32
///   bf16 [dim / 2][16 keys][2] bf16
///   int8 [dim / 4][16 keys][4] u8 = k + 128, then [16 keys] f32 scales
/// dim is a multiple of 4 (a power of two, for the Hadamard rotation).
enum class IndexFormat { kF32, kBf16, kInt8 };

std::size_t index_tile_bytes(IndexFormat format, int dim);

/// Puts key [dim] into slot 0..15 of a tile; int8 quantizes with one scale per key (max |k| / 127).
using IndexStoreFn = void(const float* key, int dim, std::byte* tile, int slot) noexcept;

/// The indexer's query of one token. For int8 keys q, q_start and weight are used, otherwise x and
/// weight. `weight` carries the constants of NUMERICS 6.5 and, for int8, each head's query scale.
struct IndexQuery {
  int n_heads = 0, dim = 0;
  const float* x = nullptr;               // [n_heads, dim]
  const std::int8_t* q = nullptr;         // [n_heads, dim]
  const std::int32_t* q_start = nullptr;  // [n_heads]: -128 * sum of q over the head
  const float* weight = nullptr;          // [n_heads]
};

/// Scores n_keys consecutive keys from tile `tiles` on, the first at `first_position`, and offers
/// every score to `best` (V3.2-Exp report, eq. 1; NUMERICS 6.5):
///   score[s] = k_scale[s] * sum_h weight[h] * relu(q[h] . k[s])
/// Heads are added by one fma each, h ascending; integer dots are exact, f32 and bf16 dots are four
/// sums (d mod 4) folded as in simd/matmul.h. Hence the same bits on every ISA level.
struct IndexScanArgs {
  const std::byte* tiles = nullptr;
  std::int32_t n_keys = 0;
  std::int32_t first_position = 0;
  IndexQuery query;
  TopK* best = nullptr;
};
using IndexScanFn = void(const IndexScanArgs& args) noexcept;

/// Quantizes the query of one token: q, q_start, and weight[h] *= scale of head h.
using IndexQuantizeQueryFn = void(const float* x, int n_heads, int dim, std::int8_t* q,
                                  std::int32_t* q_start, float* weight) noexcept;

}  // namespace leyden::simd
