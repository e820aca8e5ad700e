#pragma once

#include <cstdint>
#include <vector>

#include "formats/model_config.h"
#include "src/model/attention.h"
#include "src/model/kv_cache.h"
#include "src/model/weights.h"

namespace leyden::model {

/// What one token costs at least: the memory that has to be read for it and the multiplications
/// with weights that have to be done, from shapes and formats alone.
struct TokenCost {
  double weight_bytes = 0;
  std::vector<double> weight_bytes_on;  // of them, by node; of experts on average
  double cache_bytes = 0;               // attended latents and scored index keys
  double weight_macs = 0;               // products with weights; attention itself is not among them
};

/// Decoding one token with `depth` tokens in the cache. sparse: where there is an indexer, it
/// chooses as soon as there is something to choose, and only then is it asked.
TokenCost decode_cost(const formats::ModelConfig& config, const ModelWeights& weights,
                      const KvCache& cache, bool sparse, std::int64_t depth);

/// A token of a prompt of n with `depth` tokens before it, on average: every weight is multiplied
/// but the head, and weight bytes, which many tokens share, count as nothing.
TokenCost prefill_cost(const formats::ModelConfig& config, const ModelWeights& weights, bool sparse,
                       std::int64_t depth, int n);

}  // namespace leyden::model
