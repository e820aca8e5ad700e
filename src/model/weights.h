#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/model_config.h"
#include "src/model/placed_tensor.h"

namespace leyden::model {

/// Names to tensors.
using TensorTable = std::map<std::string, PlacedTensor, std::less<>>;

/// down(silu(gate(x)) * up(x)) (NUMERICS 2.3).
struct MlpWeights {
  PlacedMatrix gate, up, down;
};

/// Multi-head latent attention (NUMERICS 4). kv_b_proj is cut up by head: k_b [nope, kv_lora_rank]
/// and v_b [v_head_dim, kv_lora_rank] decompress latents, k_b_absorbed [kv_lora_rank, nope] takes
/// queries into latent space.
struct AttentionWeights {
  std::optional<PlacedMatrix> q_a;  // with q_a_norm and q_b; otherwise q alone
  const float* q_a_norm = nullptr;
  PlacedMatrix q_b;  // q_proj where there is no q_a
  PlacedMatrix kv_a;
  const float* kv_a_norm = nullptr;
  PlacedStack k_b, k_b_absorbed, v_b;
  PlacedMatrix o;
};

/// The lightning indexer (NUMERICS 6).
struct IndexerWeights {
  PlacedMatrix q_b, k, head_weights;
  const float* k_norm = nullptr;
  const float* k_norm_bias = nullptr;
};

/// Router, routed and shared experts (NUMERICS 5).
struct MoeWeights {
  PlacedMatrix router;
  const float* router_bias = nullptr;  // null: the method has none
  PlacedStack gate, up, down;
  std::optional<MlpWeights> shared;
};

struct LayerWeights {
  const float* attn_norm = nullptr;
  AttentionWeights attention;
  std::optional<IndexerWeights> indexer;
  const float* ffn_norm = nullptr;
  std::optional<MlpWeights> mlp;  // dense layers
  std::optional<MoeWeights> moe;  // the others
};

struct ModelWeights {
  quant::RowsView embed;
  std::vector<LayerWeights> layers;
  const float* final_norm = nullptr;
  PlacedMatrix head;
};

/// Checks that `table` holds the tensors of the plan for `config` (tensor_check.h), and points the
/// struct at them; the table must outlive it. After this, no size is checked again.
/// Errors: LoadError naming `file`, the tensor, what was found and what was expected.
ModelWeights bind_weights(const formats::ModelConfig& config, const TensorTable& table,
                          const std::string& file);

}  // namespace leyden::model
