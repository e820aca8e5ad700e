#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "formats/model_config.h"
#include "src/model/attention.h"
#include "src/model/ffn.h"
#include "src/model/kv_cache.h"
#include "src/model/profile.h"
#include "src/model/weights.h"
#include "src/runtime/scratch.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

/// The pass of some tokens through all layers, with every buffer it needs. It keeps nothing of a
/// conversation that matters: any number of them may use it in turn, and none hears of another.
/// After the constructor nothing is allocated but cache pages (by the owner of the cache) and
/// traces.
class Forward {
 public:
  /// config and weights must outlive this. chunk: tokens of one run() at most.
  Forward(const formats::ModelConfig& config, const ModelWeights& weights,
          const Attention::Settings& settings, int chunk, runtime::ThreadTeam& team);

  /// What the buffers of one will take, in bytes, from shapes, formats and places alone.
  static std::size_t buffer_bytes(const formats::ModelConfig& config, const ModelWeights& weights,
                                  const Attention::Settings& settings, int chunk,
                                  const runtime::Crew& crew);

  int chunk() const { return chunk_; }

  /// Called between layers with how many are done; false stops the run.
  using LayerProgress = std::function<bool(std::size_t n_layers)>;

  /// Runs tokens (1 to chunk() of them, each below vocab_size) standing at first_position ..., adds
  /// their rows to the cache, which has room, and writes the logits of the last n_logits of them to
  /// logits [n_logits, vocab_size]. trace: appended to, or null; profile: where the time
  /// goes. False if progress stopped it: then the logits are as they were, and the rows of these
  /// tokens in the cache mean nothing.
  bool run(std::span<const std::int32_t> tokens, std::int32_t first_position, const KvCache& cache,
           int n_logits, float* logits, Trace* trace, Profile& profile,
           const LayerProgress& progress = {});

 private:
  Forward(const formats::ModelConfig& config, const ModelWeights& weights,
          const Attention::Settings& settings, int chunk, const runtime::Crew& crew,
          runtime::ThreadTeam* team);
  void embed(std::span<const std::int32_t> tokens);
  void normalize(const float* weight, int first_token, int n_tokens);
  void compute_logits(int first_token, int n_logits, float* logits);
  void feed_forward(const LayerWeights& w, int n_tokens, LayerTrace* trace, Profile& profile);
  void choose_experts(const MoeWeights& w, int n_tokens, LayerTrace* trace, Profile& profile);

  const formats::ModelConfig& c_;
  const ModelWeights& w_;
  runtime::ThreadTeam* team_;
  int chunk_;
  Attention attention_;
  Ffn ffn_;
  runtime::Array<float> x_;               // [chunk, hidden]: the residual stream
  runtime::Array<float> normed_;          // [chunk, hidden]
  Panels in_;                             // the same, ready for products
  runtime::Array<float> router_logits_;   // [chunk, experts]
  runtime::Array<float> router_scratch_;  // [threads, 2 experts]
  std::vector<ExpertChoice> choices_;     // [chunk, num_experts_per_tok]
  runtime::Scratch scratch_;
};

}  // namespace leyden::model
