#pragma once

#include <cstdint>

#include "formats/model_config.h"
#include "src/model/kv_cache.h"
#include "src/model/weights.h"

namespace leyden::model {

/// Bytes of activations that cross between NUMA nodes while one token is decoded.
struct ExchangeCost {
  double inputs = 0;    // what products and queries are copied to other nodes for
                        // (runtime/exchange.h): a copy for every further node that reads it
  double outputs = 0;   // what one node computes and another goes on with, once
  double partials = 0;  // what is merged or added up elsewhere: attention's chunks, whole experts

  double total() const { return inputs + outputs + partials; }
};

/// weights: as they are placed on n_nodes nodes; under kInterleave they are in one part, and any
/// node computes any row. The caller's thread is one of the first node. cache: one format's sizes;
/// its pages lie on the nodes in equal numbers. sparse: an indexer, if there is one, chooses.
/// depth: tokens in the cache. An upper bound: a piece that another node's idle thread has taken
/// crosses as if that were the rule, every node attends to some chunk, and no candidate of the
/// indexer is dropped before they are merged.
ExchangeCost exchange_cost(const formats::ModelConfig& config, const ModelWeights& weights,
                           const KvCache& cache, int n_nodes, bool interleaved, bool sparse,
                           std::int64_t depth);

}  // namespace leyden::model
