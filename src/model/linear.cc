#include "src/model/linear.h"

#include <algorithm>

namespace leyden::model {
namespace {

/// Enough pieces that a thread which loses its core for a while doesn't hold up the others, few
/// enough that claiming them costs nothing.
constexpr std::int64_t kPiecesPerThread = 8;

}  // namespace

simd::MatmulFn* matmul_kernel(quant::WeightFormat format) {
  const simd::Kernels& k = simd::kernels();
  switch (format) {
    case quant::WeightFormat::kF32:
      return k.matmul_f32;
    case quant::WeightFormat::kBf16:
      return k.matmul_bf16;
    case quant::WeightFormat::kInt8:
      return k.matmul_int8;
    case quant::WeightFormat::kInt4:
      return k.matmul_int4;
  }
  return nullptr;
}

void multiply_rows(const quant::MatrixView& w, std::int64_t first_row, std::int64_t n_rows,
                   PanelSpan in, float* out, std::ptrdiff_t out_stride, std::byte* scratch,
                   const std::byte* next) {
  if (first_row == 0) {
    ProductObserver* const observer = product_observer.load(std::memory_order_relaxed);
    if (observer != nullptr) observer->see(w.tile(0), in);
  }
  simd::MatmulArgs args;
  args.tiles = w.tile(first_row / simd::kTileRows);
  args.n_rows = static_cast<int>(n_rows);
  args.n_blocks = w.n_blocks();
  args.levels = w.levels();
  args.panels = in.data();
  args.n_panels = static_cast<int>(in.size());
  args.out = out;
  args.out_stride = out_stride;
  args.next = next;
  args.scratch = scratch;
  matmul_kernel(w.format)(args);
}

Scratch::Scratch(int n_threads, std::size_t bytes_per_thread)
    : memory_(static_cast<std::size_t>(n_threads) * ((bytes_per_thread + 4095) / 4096 * 4096)),
      stride_((bytes_per_thread + 4095) / 4096 * 4096) {}

void multiply(runtime::ThreadTeam& team, const Scratch& scratch, std::span<const Linear> products) {
  std::int64_t total_tiles = 0;
  for (const Linear& p : products) total_tiles += p.w.n_tiles();
  const std::int64_t tiles_per_piece =
      std::max<std::int64_t>(1, total_tiles / (kPiecesPerThread * team.size()));

  // Piece i is the i-th run of tiles_per_piece tiles; a product's last run may be shorter.
  struct Run {
    const Linear* product;  // null past the last piece
    std::int64_t first_tile;
  };
  const auto run_of = [&](std::int64_t piece) -> Run {
    for (const Linear& p : products) {
      const std::int64_t runs = (p.w.n_tiles() + tiles_per_piece - 1) / tiles_per_piece;
      if (piece < runs) return {&p, piece * tiles_per_piece};
      piece -= runs;
    }
    return {nullptr, 0};
  };
  int n_pieces = 0;
  for (const Linear& p : products) {
    n_pieces += static_cast<int>((p.w.n_tiles() + tiles_per_piece - 1) / tiles_per_piece);
  }
  team.run(n_pieces, [&](int piece, int worker) {
    const auto [p, first_tile] = run_of(piece);
    const auto [next, next_tile] = run_of(piece + team.size());
    const std::int64_t first_row = first_tile * simd::kTileRows;
    multiply_rows(p->w, first_row,
                  std::min(p->w.rows - first_row, tiles_per_piece * simd::kTileRows), p->in,
                  p->out + first_row, p->out_stride, scratch.of(worker),
                  next != nullptr ? next->w.tile(next_tile) : nullptr);
  });
}

}  // namespace leyden::model
