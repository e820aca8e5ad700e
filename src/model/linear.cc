#include "src/model/linear.h"

#include <algorithm>

namespace leyden::model {
namespace {

/// Enough pieces that a thread which loses its core for a while doesn't hold up the others, few
/// enough that claiming them costs nothing.
constexpr std::int64_t kPiecesPerThread = 8;

const bool kThroughL2 = simd::leads_through_l2();
const bool kBf16AtOnce = simd::dots_bf16_at_once();

/// The kernel for a matrix, at the level this process uses.
simd::MatmulFn* matmul_kernel(const PlacedMatrix& w) {
  const simd::Kernels& k = simd::kernels();
  switch (w.format) {
    case quant::WeightFormat::kF32:
      return k.matmul_f32;
    case quant::WeightFormat::kBf16:
      return w.chooses ? k.matmul_bf16_f32 : k.matmul_bf16;
    case quant::WeightFormat::kInt8:
      return k.matmul_int8;
    case quant::WeightFormat::kInt4:
      return k.matmul_int4;
  }
  return nullptr;
}

}  // namespace

void multiply_rows(const PlacedMatrix& w, std::int64_t first_row, std::int64_t n_rows, PanelSpan in,
                   float* out, std::ptrdiff_t out_stride, std::byte* scratch,
                   const NextProduct& next) {
  if (first_row == 0) {
    ProductObserver* const observer = product_observer.load(std::memory_order_relaxed);
    if (observer != nullptr) observer->see(w, in);
  }
  while (n_rows > 0) {
    const MatrixPart& part = w.part_of(first_row);
    const std::int64_t from = first_row - part.first_row;
    const std::int64_t n = std::min(n_rows, part.rows.rows - from);
    simd::MatmulArgs args;
    args.tiles = part.rows.tile(from / simd::kTileRows);
    args.n_rows = static_cast<int>(n);
    args.n_blocks = part.rows.n_blocks();
    args.levels = part.rows.levels();
    args.panels = in.data();
    args.n_panels = static_cast<int>(in.size());
    args.out = out;
    args.out_stride = out_stride;
    const bool is_last = n == n_rows;
    args.next = is_last ? next.tiles : w.tile((first_row + n) / simd::kTileRows);
    args.next_panel = is_last ? next.in.data() : args.panels;
    args.through_l2 = kThroughL2;
    args.bf16_at_once = kBf16AtOnce;
    args.scratch = scratch;
    matmul_kernel(w)(args);
    first_row += n;
    n_rows -= n;
    out += n;
  }
}

int RowPieces::count() const {
  std::int64_t n = 0;
  for (const MatrixPart& part : w_->parts) n += (part.rows.rows + size_ - 1) / size_;
  return static_cast<int>(n);
}

RowPieces::Piece RowPieces::operator[](int i) const {
  for (const MatrixPart& part : w_->parts) {
    const auto pieces = static_cast<int>((part.rows.rows + size_ - 1) / size_);
    if (i < pieces) {
      const std::int64_t from = i * size_;
      return {part.first_row + from, std::min(size_, part.rows.rows - from), part.node};
    }
    i -= pieces;
  }
  return {};
}

void multiply(runtime::ThreadTeam& team, const runtime::Scratch& scratch,
              std::span<const Linear> products) {
  std::int64_t total_tiles = 0;
  for (const Linear& p : products) total_tiles += p.w.n_tiles();
  const std::int64_t rows_per_piece =
      simd::kTileRows * std::max<std::int64_t>(1, total_tiles / (kPiecesPerThread * team.size()));

  struct Run {
    const Linear* product;  // null past the last piece
    RowPieces::Piece rows;
  };
  const auto run_of = [&](int piece) -> Run {
    for (const Linear& p : products) {
      const RowPieces pieces(p.w, rows_per_piece);
      if (piece < pieces.count()) return {&p, pieces[piece]};
      piece -= pieces.count();
    }
    return {nullptr, {}};
  };
  int n_pieces = 0;
  for (const Linear& p : products) n_pieces += RowPieces(p.w, rows_per_piece).count();
  const auto compute = [&](int piece, int worker) {
    const auto [p, rows] = run_of(piece);
    const auto in = [node = team.node_of(worker)](const Linear& product) {
      return product.in.on(node, needs_of(product.w));
    };
    NextProduct next;
    if (const auto [n, n_rows] = run_of(piece + team.size()); n != nullptr) {
      next = {n->w.tile(n_rows.first_row / simd::kTileRows), in(*n)};
    }
    multiply_rows(p->w, rows.first_row, rows.n_rows, in(*p), p->out + rows.first_row, p->out_stride,
                  scratch.of(worker), next);
  };
  team.run(n_pieces, compute, [&](int piece) { return run_of(piece).rows.node; });
}

}  // namespace leyden::model
