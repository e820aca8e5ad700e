#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simd/kernels.h"
#include "src/runtime/exchange.h"

namespace leyden::model {

/// What the weights that will read some activations need: f32 weights multiply floats, bf16 weights
/// bf16 (but for those that choose, see PlacedMatrix), int8 and int4 weights int8 (simd/matmul.h).
struct ActivationNeeds {
  bool floats = false;
  bool bf16 = false;
  bool integers = false;

  friend ActivationNeeds operator|(ActivationNeeds a, ActivationNeeds b) {
    return {a.floats || b.floats, a.bf16 || b.bf16, a.integers || b.integers};
  }
};

using PanelSpan = std::span<const simd::ActivationPanel>;

/// Activation rows in the form matrix products read: panels of simd::kPanelTokens tokens, the last
/// one of a group narrower. A group is what one matrix multiplies, e.g. the tokens of one expert.
/// Rows count through all groups; they may be written in any order and by several threads. Threads
/// of every node read them in their own node's memory (runtime/exchange.h).
class Panels {
 public:
  struct Group {
    int n_rows = 0, cols = 0;
  };

  /// Room for any groups of at most max_rows rows whose rows x blocks of 128 columns add up to at
  /// most max_cells.
  Panels() = default;
  Panels(const runtime::Crew& crew, int max_rows, std::int64_t max_cells, ActivationNeeds needs);

  /// Bytes of one row.
  static std::size_t row_bytes(int cols, ActivationNeeds needs);

  /// Sets the shape; earlier contents are lost.
  void reset(std::span<const Group> groups);
  void reset(int n_rows, int cols) {
    const Group group = {n_rows, cols};
    reset({&group, 1});
  }

  /// Quantizes x into row `row` of its group's cols.
  void set_row(int row, const float* x) const;
  /// Quantizes x, columns 128 `block` ... of row `row`.
  void set_block(int row, int block, const float* x) const;
  /// Copies row `from_row` of `from`, which has the same columns and at least the same needs.
  void copy_row(int row, const Panels& from, int from_row) const;

  /// Of one group. All but the last have simd::kPanelTokens rows.
  int n_panels(int group = 0) const {
    return first_of_group_[static_cast<std::size_t>(group) + 1] -
           first_of_group_[static_cast<std::size_t>(group)];
  }
  /// Of one group, for the calling thread, which is one of `node` and needs no more than `needs` of
  /// them. All rows have been written.
  PanelSpan on(int node, ActivationNeeds needs, int group = 0) const;

 private:
  struct Place {  // of a panel
    int first_row, width, cols;
    std::size_t offset;  // into the exchange
    std::int64_t cells() const;
  };
  simd::PanelRow fields(std::byte* buffer, const Place& place) const;
  const Place& place_of(int row) const;
  simd::PanelRow at(int row, int block) const;

  ActivationNeeds needs_;
  runtime::Exchange memory_;
  std::vector<std::vector<simd::ActivationPanel>> panels_;  // for every node
  std::vector<Place> places_;                               // of each panel
  std::vector<int> panel_of_row_;                           // index into places_
  std::vector<int> first_of_group_;                         // index into places_, and the end
};

/// A group of panels that is yet to be read.
struct PanelGroup {
  const Panels* panels = nullptr;
  int group = 0;

  int n_panels() const { return panels->n_panels(group); }
  PanelSpan on(int node, ActivationNeeds needs) const { return panels->on(node, needs, group); }
};

/// Blocks of 128 columns.
constexpr int blocks_of(int cols) { return (cols + simd::kBlock - 1) / simd::kBlock; }

}  // namespace leyden::model
