#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/model_config.h"
#include "quant/tensor_spec.h"
#include "src/model/attention.h"
#include "src/model/exchange_cost.h"
#include "src/model/expert_counts.h"
#include "src/model/placement.h"

namespace leyden {

/// What the threads of one node read at most, in GB/s.
struct NodeRates {
  double local = 0;   // memory of their own node
  double remote = 0;  // memory of another
};

/// Decoding one token on a machine of some nodes, from the very placement that loading would make.
struct NumaEstimate {
  model::Placement placement;
  double local_bytes = 0, remote_bytes = 0;  // weights and cache that a token reads
  model::ExchangeCost exchanged;             // activations that cross between nodes
  double busiest_share = 0;                  // of the weight bytes, on the node with most of them
  double tokens_per_second = 0;              // if nothing but reading took time
};

/// policy: not kAuto. workers: threads of each node. attention: what a token reads of the cache,
/// and in which formats. context: tokens in the cache. counts: how often experts are chosen; kWhole
/// places them by that. Under kWhole the chosen experts of a layer rarely spread evenly: the
/// busiest node counts, on average over many random choices (experts as likely as they were
/// counted, or all equally).
NumaEstimate estimate_decoding(const formats::ModelConfig& config,
                               std::span<const quant::TensorSpec> specs, model::NumaPolicy policy,
                               std::span<const int> workers,
                               const model::Attention::Settings& attention, std::int64_t context,
                               NodeRates rates, const model::ExpertCounts& counts = {});

}  // namespace leyden
