#pragma once

#include <span>
#include <vector>

#include "formats/model_config.h"
#include "src/model/linear.h"
#include "src/model/panels.h"
#include "src/model/router.h"
#include "src/model/weights.h"
#include "src/runtime/node_buffers.h"
#include "src/runtime/scratch.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

/// The feed-forward half of a layer as one operation in two fork-joins, for any number of tokens
/// (NUMERICS 2.3 and 5.6): every MLP that some token needs - the chosen experts, the shared one, or
/// a dense layer's only one - is a task with its own tokens.
///   1. gate and up projections of all tasks, 128 rows and 64 tokens at a time, SwiGLU and
///   quantization fused
///   2. down projections, a run of output rows at a time over all tasks in order, so that a token's
///      sum over experts has one order: experts ascending, then the shared one
/// Where experts lie on one NUMA node each (--numa whole) the second step is two: every expert's
/// down projection at its home, then the same sums in the same order.
class Ffn {
 public:
  Ffn() = default;
  /// Buffers for at most max_tokens tokens a call. needs: what the weights read. whole_experts:
  /// they lie on one node each.
  Ffn(const formats::ModelConfig& config, int max_tokens, const runtime::Crew& crew,
      ActivationNeeds needs, bool whole_experts);

  /// x[t] += mlp(in[t]). in: the normalized rows; x: [n_tokens, hidden].
  void run_dense(runtime::ThreadTeam& team, const MlpWeights& w, const Panels& in, int n_tokens,
                 float* x);

  /// x[t] += shared(in[t]) + sum over the token's choices of weight * expert(in[t]).
  /// choices: [n_tokens, num_experts_per_tok].
  void run_moe(runtime::ThreadTeam& team, const MoeWeights& w, const Panels& in, int n_tokens,
               std::span<const ExpertChoice> choices, float* x);

 private:
  struct Task {
    MlpWeights w;
    PanelGroup in;      // the task's tokens, normalized
    int first_row = 0;  // of its tokens in hidden_
    std::span<const int> tokens;
    std::span<const float> weights;
    int n_parts = 1;      // that gate_and_up cuts the tokens into
    int first_piece = 0;  // of the step at work
  };

  void add_task(const MlpWeights& w, PanelGroup in, std::span<const int> tokens,
                std::span<const float> weights);
  void group_by_expert(int n_experts, int n_tokens, std::span<const ExpertChoice> choices);
  void run_tasks(runtime::ThreadTeam& team, int n_tokens, float* x);
  void gate_and_up(runtime::ThreadTeam& team);
  void down(runtime::ThreadTeam& team, int n_tokens, float* x);
  void down_at_home(runtime::ThreadTeam& team, int n_tokens, float* x);
  /// The task of a piece; pieces count from the last task on.
  const Task& task_of(int piece) const;
  float* output_of(const Task& task, std::int64_t column) const;

  int hidden_size_ = 0;
  int experts_per_token_ = 0;
  Panels gathered_;  // per expert, the rows of its tokens
  Panels hidden_;    // per task, silu(gate) * up
  runtime::NodeBuffers
      outputs_;  // floats [rows of hidden_, hidden_size] of whole experts, else empty
  std::vector<Task> tasks_;
  std::vector<Panels::Group> groups_;
  std::vector<int> first_of_expert_;  // [experts + 1] into slot_*
  std::vector<int> slot_token_;       // tokens ordered by expert
  std::vector<float> slot_weight_;
  std::vector<int> all_tokens_;  // 0, 1, 2 ...
  std::vector<float> ones_;
  std::size_t scratch_floats_ = 0;  // per thread, two arrays of this length
  runtime::Scratch scratch_;
};

}  // namespace leyden::model
