#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simd/kernels.h"
#include "src/runtime/memory.h"

namespace leyden::model {

/// What the weights that will read some activations need: f32 and bf16 weights multiply floats,
/// int8 and int4 weights multiply int8 (simd/matmul.h).
struct ActivationNeeds {
  bool floats = false;
  bool integers = false;

  friend ActivationNeeds operator|(ActivationNeeds a, ActivationNeeds b) {
    return {a.floats || b.floats, a.integers || b.integers};
  }
};

/// Activation rows in the form matrix products read: panels of 16 tokens, the last one of a group
/// narrower. A group is what one matrix multiplies, e.g. the tokens of one expert. Rows count
/// through all groups; they may be written in any order and by several threads.
class Panels {
 public:
  struct Group {
    int n_rows = 0, cols = 0;
  };

  /// Room for any groups of at most max_rows rows whose rows x blocks of 128 columns add up to at
  /// most max_cells.
  Panels() = default;
  Panels(int max_rows, std::int64_t max_cells, ActivationNeeds needs);

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

  std::span<const simd::ActivationPanel> panels(int group = 0) const;

 private:
  struct Place {  // of a panel
    int first_row, cols;
    std::int64_t first_cell;
  };
  int cell_blocks(int row) const;
  simd::PanelRow at(int row, int block) const;

  ActivationNeeds needs_;
  runtime::Array<float> x_, scale_;
  runtime::Array<std::int8_t> q_;
  runtime::Array<std::int32_t> start_int4_, start_int8_;
  std::vector<simd::ActivationPanel> panels_;
  std::vector<Place> places_;        // of each panel
  std::vector<int> panel_of_row_;    // index into panels_
  std::vector<int> first_of_group_;  // index into panels_, and the end
};

/// Blocks of 128 columns.
constexpr int blocks_of(int cols) { return (cols + simd::kBlock - 1) / simd::kBlock; }

}  // namespace leyden::model
