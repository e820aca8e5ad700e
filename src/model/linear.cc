#include "src/model/linear.h"

#include <algorithm>

namespace leyden::model {
namespace {

/// Enough pieces that a thread which loses its core for a while doesn't hold up the others, few
/// enough that claiming them costs nothing.
constexpr std::int64_t kPiecesPerThread = 8;

const simd::Lead kLead = simd::lead_of_cpu();
const bool kBf16AtOnce = simd::dots_bf16_at_once();
const bool kLoadsAreScarce = simd::loads_are_scarce();

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
    args.lead = kLead;
    args.bf16_at_once = kBf16AtOnce;
    args.loads_are_scarce = kLoadsAreScarce;
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

namespace {

/// What a tile times a panel costs. A float costs about as much as four integers, in time as in
/// bytes.
std::int64_t cell_cost(const Linear& product) { return needs_of(product.w).floats ? 4 : 1; }

std::int64_t cost(const Linear& product) {
  return cell_cost(product) * product.w.n_tiles() * product.in.n_panels();
}

/// A product cut by rows and, where a tile times all tokens is too much, by panels. Pieces of the
/// same panels follow each other.
class Cut {
 public:
  Cut(const Linear& product, std::int64_t piece_cost)
      : product_(&product), rows_(product.w, rows_per_piece(product, piece_cost)) {
    if (are_products_seen()) return;
    const std::int64_t panels = piece_cost / cell_cost(product);
    panels_per_piece_ = static_cast<int>(std::clamp<std::int64_t>(panels, 1, n_panels_));
  }

  int count() const {
    return rows_.count() * ((n_panels_ + panels_per_piece_ - 1) / panels_per_piece_);
  }

  struct Piece {
    const Linear* product;
    RowPieces::Piece rows;
    int first_panel, n_panels;

    PanelSpan in(int node) const {
      return product->in.on(node, needs_of(product->w))
          .subspan(static_cast<std::size_t>(first_panel), static_cast<std::size_t>(n_panels));
    }
    float* out() const {
      return product->out + std::ptrdiff_t{first_panel} * simd::kPanelTokens * product->out_stride +
             rows.first_row;
    }
  };
  Piece operator[](int i) const {
    const int first = i / rows_.count() * panels_per_piece_;
    return {product_, rows_[i % rows_.count()], first,
            std::min(panels_per_piece_, n_panels_ - first)};
  }

 private:
  static std::int64_t rows_per_piece(const Linear& product, std::int64_t piece_cost) {
    const std::int64_t tile_cost = cell_cost(product) * product.in.n_panels();
    return simd::kTileRows * std::max<std::int64_t>(1, piece_cost / tile_cost);
  }

  const Linear* product_;
  RowPieces rows_;
  int n_panels_ = product_->in.n_panels();
  int panels_per_piece_ = n_panels_;
};

}  // namespace

void multiply(runtime::ThreadTeam& team, const runtime::Scratch& scratch,
              std::span<const Linear> products) {
  std::int64_t total_cost = 0;
  for (const Linear& p : products) total_cost += cost(p);
  const std::int64_t piece_cost = total_cost / (kPiecesPerThread * team.size());

  int n_pieces = 0;
  for (const Linear& p : products) n_pieces += Cut(p, piece_cost).count();
  const auto find = [&](int piece) {
    for (const Linear& p : products) {
      const Cut cut(p, piece_cost);
      if (piece < cut.count()) return cut[piece];
      piece -= cut.count();
    }
    return Cut::Piece{};
  };
  const auto compute = [&](int i, int worker) {
    const int node = team.node_of(worker);
    const Cut::Piece piece = find(i);
    NextProduct next;
    if (i + team.size() < n_pieces) {
      const Cut::Piece then = find(i + team.size());
      next = {then.product->w.tile(then.rows.first_row / simd::kTileRows), then.in(node)};
    }
    multiply_rows(piece.product->w, piece.rows.first_row, piece.rows.n_rows, piece.in(node),
                  piece.out(), piece.product->out_stride, scratch.of(worker), next);
  };
  team.run(n_pieces, compute, [&](int piece) { return find(piece).rows.node; });
}

}  // namespace leyden::model
