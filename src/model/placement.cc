#include "src/model/placement.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "formats/container_index.h"
#include "formats/named.h"
#include "quant/weight_format.h"
#include "src/runtime/index.h"

namespace leyden::model {
namespace {

using quant::Layout;
using quant::TensorSpec;

constexpr std::array<formats::Named<NumaPolicy>, 4> kPolicies = {{
    {"auto", NumaPolicy::kAuto},
    {"split", NumaPolicy::kSplit},
    {"whole", NumaPolicy::kWhole},
    {"interleave", NumaPolicy::kInterleave},
}};

/// Rows that must stay together: the hidden values of a block of 128 are quantized with one scale.
std::int64_t rows_of_unit(const TensorSpec& spec) {
  const bool makes_hidden_values = spec.name.ends_with(".gate") || spec.name.ends_with(".up");
  return makes_hidden_values ? simd::kBlock : simd::kTileRows;
}

/// Tracks how full nodes are, relative to their weights.
class Loads {
 public:
  explicit Loads(std::span<const int> weights) : weights_(weights), loads_(weights.size()) {}
  /// The least loaded of the nodes that `allowed` lets through.
  template <class Allowed>
  int least(const Allowed& allowed) const {
    int best = -1;
    for (int k = 0; k < static_cast<int>(loads_.size()); ++k) {
      if (allowed(k) && (best < 0 || relative(k) < relative(best))) best = k;
    }
    return best;
  }
  void add(int k, double load) { loads_[index(k)] += load; }

 private:
  double relative(int k) const { return loads_[index(k)] / weights_[index(k)]; }
  std::span<const int> weights_;
  std::vector<double> loads_;
};

class Placer {
 public:
  Placer(NumaPolicy policy, std::span<const int> workers, const ExpertCounts& counts)
      : weights_(workers.begin(), workers.end()), counts_(counts) {
    if (policy == NumaPolicy::kInterleave) weights_ = {1};
    int divisor = 0;
    for (const int w : weights_) divisor = std::gcd(divisor, w);
    for (int& w : weights_) w /= divisor;
    placement_.policy = policy;
    placement_.by_use = policy == NumaPolicy::kWhole && weights_.size() > 1 && !counts.empty();
    placement_.arena_bytes.resize(weights_.size());
  }

  Placement place(std::span<const TensorSpec> specs) {
    // Plain rows go where the matrices have left most room.
    placement_.tensors.resize(specs.size());
    for (const Layout layout : {Layout::kTiles, Layout::kRows}) {
      for (std::size_t i = 0; i < specs.size(); ++i) {
        if (specs[i].layout == layout) placement_.tensors[i] = place(specs[i]);
      }
    }
    return std::move(placement_);
  }

 private:
  TensorPlace place(const TensorSpec& spec) {
    TensorPlace to;
    const std::int64_t layer = layer_of(spec.name);
    if (weights_.size() == 1) {
      to.node_of.assign(index(spec.count), 0);
    } else if (spec.layout == Layout::kRows) {
      Loads loads(weights_);
      for (int k = 0; k < n_nodes(); ++k) {
        loads.add(k, static_cast<double>(placement_.arena_bytes[index(k)]));
      }
      to.node_of = {loads.least([](int) { return true; })};
    } else if (is_expert_stack(spec) && placement_.policy == NumaPolicy::kWhole) {
      to.node_of = experts_of_layer(layer, spec.count);
    } else if (spec.count > 1 && !is_expert_stack(spec)) {
      const std::vector<std::int64_t> begin = divide(spec.count, weights_, layer);
      for (int k = 0; k < n_nodes(); ++k) {
        to.node_of.insert(to.node_of.end(), index(begin[index(k + 1)] - begin[index(k)]), k);
      }
    } else {
      const std::int64_t unit = rows_of_unit(spec);
      to.row_begin = divide((spec.rows + unit - 1) / unit, weights_, layer);
      for (std::int64_t& row : to.row_begin) row = std::min(row * unit, spec.rows);
    }
    reserve(spec, to);
    return to;
  }

  /// Longest first: the most used expert goes to the node with the least use so far. Every node
  /// gets its share of experts to within one, or memory would run out on the one with the rare
  /// ones.
  std::vector<int> experts_of_layer(std::int64_t layer, std::int64_t n) const {
    const bool counted = index(layer) < counts_.size() && !counts_[index(layer)].empty();
    const auto use = [&](int e) {
      return counted ? static_cast<double>(counts_[index(layer)][index(e)]) : 1.0;
    };
    std::vector<int> order(index(n)), node_of(index(n));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](int a, int b) { return use(a) > use(b); });
    std::vector<std::int64_t> room;
    const std::int64_t total = std::accumulate(weights_.begin(), weights_.end(), std::int64_t{0});
    for (const int w : weights_) room.push_back((n * w + total - 1) / total);
    Loads loads(weights_);
    for (const int e : order) {
      const int k = loads.least([&](int node) { return room[index(node)] > 0; });
      node_of[index(e)] = k;
      loads.add(k, use(e));
      --room[index(k)];
    }
    return node_of;
  }

  void reserve(const TensorSpec& spec, TensorPlace& to) {
    for (int k = 0; k < n_nodes(); ++k) {
      std::size_t bytes = 0;
      if (!to.row_begin.empty()) {
        const std::int64_t rows = to.row_begin[index(k + 1)] - to.row_begin[index(k)];
        if (rows > 0) bytes = quant::stack_bytes(spec.format, spec.count, rows, spec.cols);
      } else {
        const auto n = std::ranges::count(to.node_of, k);
        bytes = n == 0 ? 0 : spec.bytes() / index(spec.count) * index(n);
      }
      const std::size_t alignment = formats::alignment_of(bytes);
      std::size_t& end = placement_.arena_bytes[index(k)];
      end = (end + alignment - 1) / alignment * alignment;
      to.offset.push_back(end);
      end += bytes;
    }
  }

  int n_nodes() const { return static_cast<int>(weights_.size()); }

  std::vector<int> weights_;
  const ExpertCounts& counts_;
  Placement placement_;
};

}  // namespace

std::string_view name(NumaPolicy policy) { return formats::name_in(kPolicies, policy); }

std::optional<NumaPolicy> numa_policy_named(std::string_view wanted) {
  return formats::value_named(kPolicies, wanted);
}

std::int64_t layer_of(std::string_view tensor) {
  constexpr std::string_view kPrefix = "layers.";
  std::int64_t layer = 0;  // names come from files: what follows need not be a number
  if (tensor.starts_with(kPrefix)) {
    std::from_chars(tensor.data() + kPrefix.size(), tensor.data() + tensor.size(), layer);
  }
  return std::max(layer, std::int64_t{0});
}

bool is_expert_stack(const TensorSpec& spec) {
  return spec.name.find(".experts.") != std::string::npos;
}

std::size_t Placement::total_bytes() const {
  return std::accumulate(arena_bytes.begin(), arena_bytes.end(), std::size_t{0});
}

std::vector<std::int64_t> divide(std::int64_t n, std::span<const int> weights, std::int64_t turn) {
  const std::int64_t total = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  std::vector<std::int64_t> begin = {0};
  std::int64_t before = 0;
  for (const int weight : weights) {
    before += weight;
    begin.push_back((n * before + turn % total) / total);
  }
  return begin;
}

Placement place_tensors(std::span<const quant::TensorSpec> specs, NumaPolicy policy,
                        std::span<const int> workers, const ExpertCounts& counts) {
  return Placer(policy, workers, counts).place(specs);
}

}  // namespace leyden::model
