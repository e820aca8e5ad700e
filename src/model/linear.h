#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "quant/weight_format.h"
#include "src/model/panels.h"
#include "src/model/placed_matrix.h"
#include "src/runtime/scratch.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

/// What activations a matrix reads.
inline ActivationNeeds needs_of(const PlacedMatrix& w) {
  switch (w.format) {
    case quant::WeightFormat::kF32:
      break;
    case quant::WeightFormat::kBf16:
      if (w.chooses) break;
      return {.bf16 = true};
    case quant::WeightFormat::kInt8:
    case quant::WeightFormat::kInt4:
      return {.integers = true};
  }
  return {.floats = true};
}

/// What the matrices of a stack read.
inline ActivationNeeds needs_of(const PlacedStack& stack) { return needs_of(stack[0]); }

/// Sees what matrices multiply, for calibration.
class ProductObserver {
 public:
  virtual ~ProductObserver() = default;
  /// w multiplies every token of `in`. Called once per product, by many threads at a time.
  virtual void see(const PlacedMatrix& w, PanelSpan in) = 0;
};

/// Null but while somebody calibrates. One for the process, so that nothing between a token and a
/// multiply has to carry it.
inline std::atomic<ProductObserver*> product_observer = nullptr;

/// Whether somebody sees products. What is seen may be summed in the order of the tokens, so all
/// tokens of a product then stay together in one piece.
inline bool are_products_seen() {
  return product_observer.load(std::memory_order_relaxed) != nullptr;
}

/// What a thread will probably multiply next: weights, if not those that follow in memory, and
/// what they multiply.
struct NextProduct {
  const std::byte* tiles = nullptr;
  PanelSpan in = {};
};

/// Rows [first_row, first_row + n_rows) of w times every token of `in`, on the calling thread.
/// first_row is a multiple of 16. out: [tokens, n_rows], `out_stride` floats apart; scratch:
/// simd::kMatmulScratchBytes; next: for speed only.
void multiply_rows(const PlacedMatrix& w, std::int64_t first_row, std::int64_t n_rows, PanelSpan in,
                   float* out, std::ptrdiff_t out_stride, std::byte* scratch,
                   const NextProduct& next = {});

/// The rows of a matrix cut into pieces that lie on one node each.
class RowPieces {
 public:
  /// rows_per_piece: a multiple of 16.
  RowPieces(const PlacedMatrix& w, std::int64_t rows_per_piece) : w_(&w), size_(rows_per_piece) {}
  int count() const;
  struct Piece {
    std::int64_t first_row, n_rows;
    int node;
  };
  Piece operator[](int i) const;

 private:
  const PlacedMatrix* w_;
  std::int64_t size_;
};

/// One whole product: out[t] = w . in[t], out [tokens, w.rows].
struct Linear {
  PlacedMatrix w;
  PanelGroup in;
  float* out = nullptr;
  std::ptrdiff_t out_stride = 0;
};

/// All of `products` in one fork-join, cut into pieces of whole tiles, each at home where its rows
/// lie.
void multiply(runtime::ThreadTeam& team, const runtime::Scratch& scratch,
              std::span<const Linear> products);

}  // namespace leyden::model
