#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/tensor_spec.h"
#include "src/model/expert_counts.h"

namespace leyden::model {

/// How weights are divided among the NUMA nodes that compute.
enum class NumaPolicy {
  kAuto,        // split where it fits, otherwise interleave
  kSplit,       // every matrix by rows: all nodes work on every expert, each on its own memory
  kWhole,       // every expert on one node, the rest split
  kInterleave,  // pages in turn on all nodes; nobody's memory is near
};

std::string_view name(NumaPolicy policy);
std::optional<NumaPolicy> numa_policy_named(std::string_view name);

/// Where a tensor goes: by rows, or matrix by matrix.
struct TensorPlace {
  std::vector<std::int64_t> row_begin;  // node k has rows [row_begin[k], row_begin[k + 1])
  std::vector<int> node_of;             // of each matrix, where row_begin is empty
  std::vector<std::size_t> offset;      // in the arena of each node
};

/// Where every tensor goes: one arena of memory per node.
struct Placement {
  NumaPolicy policy = NumaPolicy::kSplit;
  bool by_use = false;                   // kWhole: experts were spread by how often they are used
  std::vector<TensorPlace> tensors;      // as the specs they were placed for
  std::vector<std::size_t> arena_bytes;  // per node

  std::size_t total_bytes() const;
};

/// The number in "layers.N.rest"; 0 for tensors outside of layers, and for names of a file that
/// have no such number, or a negative one.
std::int64_t layer_of(std::string_view tensor);
/// Whether it is a stack of one matrix per expert, which kWhole doesn't cut up.
bool is_expert_stack(const quant::TensorSpec& spec);

/// Divides n units among nodes in proportion to their weights: node k gets [b[k], b[k + 1]).
/// Rounding favours other nodes at other turns, so that over many turns each gets its share.
/// weights: positive. n * sum(weights) must not overflow.
std::vector<std::int64_t> divide(std::int64_t n, std::span<const int> weights, std::int64_t turn);

/// Places tensors. Decides from names, shapes and formats alone, so that a plan for a machine that
/// isn't there costs nothing.
///   experts       split: by rows; whole: each on one node, the most used ones first, always to the
///                 node with the least use so far; without counts in turn
///   heads         stacks of one matrix per head: by heads
///   other matrices by rows; gate and up projections at multiples of 128, which their activations
///                 are quantized by
///   plain rows    (embeddings, norms) on the node with the least bytes
/// workers: of each node. policy: not kAuto; kInterleave puts everything into one arena.
Placement place_tensors(std::span<const quant::TensorSpec> specs, NumaPolicy policy,
                        std::span<const int> workers, const ExpertCounts& counts = {});

}  // namespace leyden::model
