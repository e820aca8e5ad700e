#pragma once

#include <cstdint>

#include "formats/model_config.h"

namespace leyden::model {

/// A chunk of consecutive tokens, the first n_dense of which attend to every key before them, the
/// others to index_topk chosen ones.
struct ChunkQueries {
  std::int32_t first_position = 0;
  int n = 0, n_dense = 0;
};

/// How many of a chunk's first queries cost less decompressed than absorbed (docs/design.md); the
/// others are absorbed. is_fixed: attention is computed in fixed point; has_integer_weights:
/// latents are multiplied with integer weights. Decides about bits, so it depends on nothing but
/// what it is given: not on the machine, its kernels, or the number of threads.
int cheaper_decompressed(const formats::ModelConfig& config, const ChunkQueries& chunk,
                         bool is_fixed, bool has_integer_weights);

}  // namespace leyden::model
