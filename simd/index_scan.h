#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/index_tile.h"
#include "simd/top_k.h"

namespace leyden::simd {

/// The indexer's queries of one or several consecutive tokens. For int8 keys q, q_start and weight
/// are used, otherwise x and weight. `weight` carries the constants of NUMERICS 6.5 and, for int8,
/// each head's query scale.
struct IndexQuery {
  int n_heads = 0, dim = 0;
  const float* x = nullptr;               // [n_queries, n_heads, dim]
  const std::int8_t* q = nullptr;         // [n_queries, n_heads, dim]
  const std::int32_t* q_start = nullptr;  // [n_queries, n_heads]: -128 * sum of q over the head
  const float* weight = nullptr;          // [n_queries, n_heads]
};

/// Scores n_keys consecutive keys from tile `tiles` on, the first at `first_position`, and offers
/// every score to `best` (V3.2-Exp report, eq. 1; NUMERICS 6.5):
///   score[s] = k_scale[s] * sum_h weight[h] * relu(q[h] . k[s])
/// Heads are added by one fma each, h ascending, from 0. A dot of int8 is exact; one of f32 or bf16
/// is one fma per dimension, ascending, from 0. Only int8 has k_scale. Hence the same bits on every
/// ISA level, whatever else is in the call.
/// Several queries read a tile from memory once and from the cache afterwards.
struct IndexScanArgs {
  const std::byte* tiles = nullptr;
  std::int32_t n_keys = 0;
  std::int32_t first_position = 0;  // a multiple of 16
  IndexQuery query;
  TopK* best = nullptr;  // [n_queries]
  int n_queries = 1;
  const std::int32_t* end = nullptr;  // [n_queries]: only positions below are scored; null: all
  /// Tiles that this thread will scan next, or null: the last reads ahead go there.
  const std::byte* next = nullptr;
};
using IndexScanFn = void(const IndexScanArgs& args) noexcept;

/// The same scores of chosen keys, for the floor of top_k_reset: the smallest score of k tokens of
/// the sequence is a lower bound of its k-th best. Key i lies in tile[i], slot position[i] % 16.
struct IndexScoreArgs {
  const std::byte* const* tile = nullptr;  // [n_keys]
  const std::int32_t* position = nullptr;  // [n_keys]
  std::int32_t n_keys = 0;
  IndexQuery query;        // of one token
  float* score = nullptr;  // [n_keys]
};
using IndexScoreFn = void(const IndexScoreArgs& args) noexcept;

}  // namespace leyden::simd
