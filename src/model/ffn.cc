#include "src/model/ffn.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

constexpr int kBlock = simd::kBlock;
constexpr int kTilesPerBlock = kBlock / simd::kTileRows;
/// Rows of down projections that a piece has at most, but for one token. The more, the fewer times
/// all experts' hidden activations are read, but the sums of all tokens belong into a cache.
constexpr int kDownRows = 2 * kBlock;

}  // namespace

Ffn::Ffn(const formats::ModelConfig& config, int max_tokens, const runtime::Crew& crew,
         ActivationNeeds needs, bool whole_experts)
    : hidden_size_(config.hidden_size), experts_per_token_(config.num_experts_per_tok) {
  const bool has_experts = config.n_routed_experts > 0;
  const std::int64_t tokens = max_tokens;
  const int routed_rows = has_experts ? max_tokens * config.num_experts_per_tok : 0;
  std::int64_t cells = tokens * blocks_of(config.intermediate_size);
  if (has_experts) {
    const std::int64_t moe_cells =
        std::int64_t{routed_rows} * blocks_of(config.moe_intermediate_size) +
        tokens * blocks_of(config.n_shared_experts * config.moe_intermediate_size);
    cells = std::max(cells, moe_cells);
    if (max_tokens > 1) {
      gathered_ =
          Panels(crew, routed_rows, std::int64_t{routed_rows} * blocks_of(hidden_size_), needs);
    }
    first_of_expert_.reserve(index(config.n_routed_experts + 1));
    slot_token_.resize(index(routed_rows));
    slot_weight_.resize(index(routed_rows));
  }
  hidden_ = Panels(crew, routed_rows + max_tokens, cells, needs);
  if (whole_experts) {
    const std::size_t rows = index(routed_rows + max_tokens);
    outputs_ = runtime::NodeBuffers(crew, rows * index(hidden_size_) * sizeof(float));
  }
  const int max_tasks = std::min(routed_rows, std::max(config.n_routed_experts, 0)) + 1;
  tasks_.reserve(index(max_tasks));
  groups_.reserve(index(max_tasks));
  all_tokens_.resize(index(max_tokens));
  std::iota(all_tokens_.begin(), all_tokens_.end(), 0);
  ones_.assign(index(max_tokens), 1.0f);

  scratch_floats_ = index(max_tokens) * kDownRows;
  scratch_ =
      runtime::Scratch(crew, simd::kMatmulScratchBytes + 2 * scratch_floats_ * sizeof(float));
}

void Ffn::add_task(const MlpWeights& w, PanelGroup in, std::span<const int> tokens,
                   std::span<const float> weights) {
  const int first_row =
      tasks_.empty() ? 0 : tasks_.back().first_row + static_cast<int>(tasks_.back().tokens.size());
  tasks_.push_back({w, in, first_row, tokens, weights});
  groups_.push_back({static_cast<int>(tokens.size()), static_cast<int>(w.gate.rows)});
}

void Ffn::run_dense(runtime::ThreadTeam& team, const MlpWeights& w, const Panels& in, int n_tokens,
                    float* x) {
  tasks_.clear();
  groups_.clear();
  add_task(w, {&in}, std::span(all_tokens_).first(index(n_tokens)), ones_);
  run_tasks(team, n_tokens, x);
}

void Ffn::group_by_expert(int n_experts, int n_tokens, std::span<const ExpertChoice> choices) {
  // Counting sort; within an expert the tokens stay in order.
  first_of_expert_.assign(index(n_experts + 1), 0);
  for (const ExpertChoice& c : choices) ++first_of_expert_[index(c.expert + 1)];
  std::partial_sum(first_of_expert_.begin(), first_of_expert_.end(), first_of_expert_.begin());
  for (int token = n_tokens - 1; token >= 0; --token) {
    for (int i = 0; i < experts_per_token_; ++i) {
      const ExpertChoice& c = choices[index(token * experts_per_token_ + i)];
      const int slot = --first_of_expert_[index(c.expert + 1)];
      slot_token_[index(slot)] = token;
      slot_weight_[index(slot)] = c.weight;
    }
  }
  // Each entry has moved down to its own expert's start, one place to the right of it.
  std::copy(first_of_expert_.begin() + 1, first_of_expert_.end(), first_of_expert_.begin());
  first_of_expert_.back() = static_cast<int>(choices.size());
}

void Ffn::run_moe(runtime::ThreadTeam& team, const MoeWeights& w, const Panels& in, int n_tokens,
                  std::span<const ExpertChoice> choices, float* x) {
  const auto n_experts = static_cast<int>(w.gate.count);
  group_by_expert(n_experts, n_tokens, choices);

  tasks_.clear();
  groups_.clear();
  for (int e = 0; e < n_experts; ++e) {
    const int first = first_of_expert_[index(e)];
    const int count = first_of_expert_[index(e + 1)] - first;
    if (count == 0) continue;
    add_task({w.gate[e], w.up[e], w.down[e]}, {&in},
             std::span(slot_token_).subspan(index(first), index(count)),
             std::span(slot_weight_).subspan(index(first), index(count)));
  }
  if (n_tokens > 1) {
    for (Panels::Group& group : groups_) group.cols = hidden_size_;
    gathered_.reset(groups_);
    const auto n_slots = static_cast<int>(choices.size());
    constexpr int kRowsPerPiece = 16;
    team.run((n_slots + kRowsPerPiece - 1) / kRowsPerPiece, [&](int piece, int) {
      const int end = std::min(n_slots, (piece + 1) * kRowsPerPiece);
      for (int slot = piece * kRowsPerPiece; slot < end; ++slot) {
        gathered_.copy_row(slot, in, slot_token_[index(slot)]);
      }
    });
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      tasks_[i].in = {&gathered_, static_cast<int>(i)};
      groups_[i].cols = static_cast<int>(tasks_[i].w.gate.rows);
    }
  }
  if (w.shared) {
    add_task(*w.shared, {&in}, std::span(all_tokens_).first(index(n_tokens)), ones_);
  }
  run_tasks(team, n_tokens, x);
}

void Ffn::run_tasks(runtime::ThreadTeam& team, int n_tokens, float* x) {
  hidden_.reset(groups_);
  gate_and_up(team);
  if (outputs_.bytes() > 0 && tasks_.size() > 1) {
    down_at_home(team, n_tokens, x);
  } else {
    down(team, n_tokens, x);
  }
}

const Ffn::Task& Ffn::task_of(int piece) const {
  const auto starts_after = [piece](const Task& task) { return task.first_piece > piece; };
  return *std::partition_point(tasks_.begin(), tasks_.end(), starts_after);
}

void Ffn::gate_and_up(runtime::ThreadTeam& team) {
  // A block of hidden columns times a panel of tokens, which gate and up find in the same cache.
  const bool by_panel = !are_products_seen();
  // From the last task on: the shared expert, whose tokens are the most, isn't waited for in the
  // end.
  int n_pieces = 0;
  for (auto task = tasks_.rbegin(); task != tasks_.rend(); ++task) {
    task->n_parts = by_panel ? task->in.n_panels() : 1;
    task->first_piece = n_pieces;
    n_pieces += blocks_of(static_cast<int>(task->w.gate.rows)) * task->n_parts;
  }

  struct Piece {
    const Task* task;
    int block, part;

    PanelSpan in(int node, const PlacedMatrix& w) const {
      const PanelSpan all = task->in.on(node, needs_of(w));
      return task->n_parts == 1 ? all : all.subspan(index(part), 1);
    }
  };
  const auto find = [&](int piece) {
    const Task& task = task_of(piece);
    const int of_task = piece - task.first_piece;
    return Piece{&task, of_task / task.n_parts, of_task % task.n_parts};
  };
  const auto compute = [&](int i, int worker) {
    const int node = team.node_of(worker);
    const Piece piece = find(i), next = find(std::min(i + team.size(), n_pieces - 1));
    const MlpWeights& w = piece.task->w;
    std::byte* const scratch = scratch_.of(worker);
    auto* const gate = reinterpret_cast<float*>(scratch + simd::kMatmulScratchBytes);
    float* const up = gate + scratch_floats_;

    const std::int64_t first_row = std::int64_t{piece.block} * kBlock;
    const std::int64_t n_rows = std::min<std::int64_t>(kBlock, w.gate.rows - first_row);
    multiply_rows(w.gate, first_row, n_rows, piece.in(node, w.gate), gate, kBlock, scratch,
                  {w.up.tile(piece.block * kTilesPerBlock), piece.in(node, w.up)});
    multiply_rows(
        w.up, first_row, n_rows, piece.in(node, w.up), up, kBlock, scratch,
        {next.task->w.gate.tile(next.block * kTilesPerBlock), next.in(node, next.task->w.gate)});
    const int first_token = piece.part * simd::kPanelTokens;
    const auto n_tokens = static_cast<int>(piece.task->tokens.size());
    const int end =
        piece.part + 1 == piece.task->n_parts ? n_tokens : first_token + simd::kPanelTokens;
    float* row = gate;
    for (int t = first_token; t < end; ++t, row += kBlock) {
      simd::kernels().swiglu(row, row + (up - gate), static_cast<int>(n_rows), row);
      hidden_.set_block(piece.task->first_row + t, piece.block, row);
    }
  };
  team.run(n_pieces, compute, [&](int i) {
    const Piece piece = find(i);
    return piece.task->w.gate.node_of(std::int64_t{piece.block} * kBlock);
  });
}

void Ffn::down(runtime::ThreadTeam& team, int n_tokens, float* x) {
  // Rows of a piece: few enough that every thread gets several pieces, and that their sums fit.
  const auto whole_tiles = [](int rows) { return rows / simd::kTileRows * simd::kTileRows; };
  const int most_rows = n_tokens == 1 ? static_cast<int>(scratch_floats_) : kDownRows;
  const int rows_per_piece = std::clamp(whole_tiles(hidden_size_ / (8 * team.size())),
                                        simd::kTileRows, whole_tiles(most_rows));
  const RowPieces pieces(tasks_.front().w.down, rows_per_piece);
  const auto compute = [&](int piece, int worker) {
    std::byte* const scratch = scratch_.of(worker);
    auto* const sum = reinterpret_cast<float*>(scratch + simd::kMatmulScratchBytes);
    float* const out = sum + scratch_floats_;
    const RowPieces::Piece rows = pieces[piece];
    const auto first_row = static_cast<int>(rows.first_row), n_rows = static_cast<int>(rows.n_rows);

    std::fill_n(sum, index(n_tokens * rows_per_piece), 0.0f);
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const Task& task = tasks_[i];
      const bool is_last = i + 1 == tasks_.size();
      const std::size_t next = is_last ? 0 : i + 1;
      const int next_row = is_last ? first_row + team.size() * rows_per_piece : first_row;
      const auto in = [&](std::size_t task_i) {
        return hidden_.on(team.node_of(worker), needs_of(tasks_[task_i].w.down),
                          static_cast<int>(task_i));
      };
      multiply_rows(task.w.down, first_row, n_rows, in(i), out, rows_per_piece, scratch,
                    {tasks_[next].w.down.tile(next_row / simd::kTileRows), in(next)});
      for (std::size_t t = 0; t < task.tokens.size(); ++t) {
        simd::kernels().scaled_add(out + t * index(rows_per_piece), task.weights[t], n_rows,
                                   sum + task.tokens[t] * rows_per_piece);
      }
    }
    for (int t = 0; t < n_tokens; ++t) {
      simd::kernels().add(sum + t * rows_per_piece, n_rows,
                          x + std::ptrdiff_t{t} * hidden_size_ + first_row);
    }
  };
  team.run(pieces.count(), compute, [&](int piece) { return pieces[piece].node; });
}

/// Where a task's output from some column on is kept until the sum: on the node that computes it.
float* Ffn::output_of(const Task& task, std::int64_t column) const {
  const int node = task.w.down.node_of(column);
  return reinterpret_cast<float*>(outputs_.on(node < outputs_.n_nodes() ? node : 0)) +
         std::ptrdiff_t{task.first_row} * hidden_size_ + column;
}

void Ffn::down_at_home(runtime::ThreadTeam& team, int n_tokens, float* x) {
  int n_pieces = 0;
  for (auto task = tasks_.rbegin(); task != tasks_.rend(); ++task) {  // as in gate_and_up
    task->first_piece = n_pieces;
    n_pieces += RowPieces(task->w.down, kBlock).count();
  }
  const auto rows_of = [&](const Task& task, int piece) {
    return RowPieces(task.w.down, kBlock)[piece - task.first_piece];
  };
  const auto multiply_piece = [&](int piece, int worker) {
    const Task& task = task_of(piece);
    const RowPieces::Piece rows = rows_of(task, piece);
    const auto group = static_cast<int>(&task - tasks_.data());
    multiply_rows(task.w.down, rows.first_row, rows.n_rows,
                  hidden_.on(team.node_of(worker), needs_of(task.w.down), group),
                  output_of(task, rows.first_row), hidden_size_, scratch_.of(worker));
  };
  team.run(n_pieces, multiply_piece,
           [&](int piece) { return rows_of(task_of(piece), piece).node; });

  team.run((hidden_size_ + kBlock - 1) / kBlock, [&](int piece, int worker) {
    auto* const sum = reinterpret_cast<float*>(scratch_.of(worker) + simd::kMatmulScratchBytes);
    const int first = piece * kBlock, n = std::min(kBlock, hidden_size_ - first);
    std::fill_n(sum, index(n_tokens * kBlock), 0.0f);
    for (const Task& task : tasks_) {
      for (int done = 0; done < n;) {  // the shared expert's columns lie on several nodes
        const MatrixPart& part = task.w.down.part_of(first + done);
        const auto end = static_cast<int>(part.first_row + part.rows.rows) - first;
        const int width = std::min(n, end) - done;
        const float* out = output_of(task, first + done);
        for (std::size_t t = 0; t < task.tokens.size(); ++t, out += hidden_size_) {
          simd::kernels().scaled_add(out, task.weights[t], width,
                                     sum + task.tokens[t] * kBlock + done);
        }
        done += width;
      }
    }
    for (int t = 0; t < n_tokens; ++t) {
      simd::kernels().add(sum + t * kBlock, n, x + std::ptrdiff_t{t} * hidden_size_ + first);
    }
  });
}

}  // namespace leyden::model
