#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leyden::formats {

/// The model families this reader knows. All share MLA and the DeepSeek MoE; they differ in names,
/// routers and whether there is an indexer.
enum class Architecture {
  kDeepseekV2,   // V2-Lite: softmax router
  kDeepseekV3,   // V3, R1, V3.1 and Kimi-K2: sigmoid router with selection bias
  kDeepseekV32,  // V3.2: V3 with the lightning indexer
  kGlmMoeDsa,    // GLM-5: V3.2 with an interleaved indexer RoPE
};

/// Router scores: p = sigmoid(z) or softmax(z) over all experts (NUMERICS 5.1).
enum class ScoringFunc { kSigmoid, kSoftmax };

/// How experts are chosen (NUMERICS 5.2 to 5.4).
enum class TopkMethod {
  kGreedy,              // the best of all
  kGroupLimitedGreedy,  // the best of the topk_group groups with the largest maximum
  kNoauxTc,             // by score + bias, in the topk_group groups with the largest top-2 sum
};

/// rope_scaling of type "yarn" (NUMERICS 3.2, 3.3 and 4.3).
struct YarnScaling {
  double factor = 1;
  double beta_fast = 32;
  double beta_slow = 1;
  double mscale = 1;
  double mscale_all_dim = 0;
  int original_max_position_embeddings = 4096;

  bool operator==(const YarnScaling&) const = default;
};

/// A model's shape, under DeepSeek's own names. Values that leave parse_model_config() or
/// check_model_config() are in range and agree with each other.
struct ModelConfig {
  Architecture architecture = Architecture::kDeepseekV3;
  std::string model_type;  // as the file says: "deepseek_v3", "kimi_k2", ...

  int hidden_size = 0;
  int num_hidden_layers = 0;
  int first_k_dense_replace = 0;  // layers below this index are dense
  int vocab_size = 0;
  int max_position_embeddings = 0;
  int num_nextn_predict_layers = 0;  // MTP layers, stored after the others
  bool tie_word_embeddings = false;
  double rms_norm_eps = 1e-6;

  int num_attention_heads = 0;
  int q_lora_rank = 0;  // 0: q_proj instead of q_a_proj and q_b_proj
  int kv_lora_rank = 0;
  int qk_nope_head_dim = 0;
  int qk_rope_head_dim = 0;  // even
  int v_head_dim = 0;
  double rope_theta = 10000;
  std::optional<YarnScaling> rope_scaling;

  int intermediate_size = 0;      // of dense layers
  int moe_intermediate_size = 0;  // of one expert
  int n_routed_experts = 0;       // 0: every layer is dense
  int n_shared_experts = 0;
  int num_experts_per_tok = 0;
  int n_group = 1;
  int topk_group = 1;
  ScoringFunc scoring_func = ScoringFunc::kSigmoid;
  TopkMethod topk_method = TopkMethod::kNoauxTc;
  bool norm_topk_prob = true;
  double routed_scaling_factor = 1;

  int index_n_heads = 0;
  // A power of two from 4 to 128, for the Hadamard rotation; its rope part comes first.
  int index_head_dim = 0;
  int index_topk = 0;  // 0: no indexer, every cached token is attended to
  bool indexer_rope_interleave = false;

  bool ue8m0_scales = false;  // FP8 scales are powers of two (NUMERICS 7.3)

  std::optional<int> bos_token_id;
  std::vector<int> eos_token_ids;  // any of them ends an answer

  bool has_indexer() const { return index_topk > 0; }
  bool is_moe_layer(int layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace;
  }
  int qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }

  bool operator==(const ModelConfig&) const = default;
};

/// Reads a Hugging Face config.json.
/// Errors: LoadError naming `file_name`, the field, what it holds and what was expected; another
///         architecture, an unknown router, RoPE scaling or quantization method is named too.
ModelConfig parse_model_config(std::string_view text, const std::string& file_name);

/// Refuses a config whose values are absurd or contradict each other: ranges, even RoPE width,
/// power-of-two indexer width that the kernels have room for, groups that divide the experts,
/// enough experts in allowed groups. Errors: LoadError naming `file_name` and the fields.
void check_model_config(const ModelConfig& config, const std::string& file_name);

/// A config.json that parse_model_config() reads back to an equal ModelConfig.
std::string to_json(const ModelConfig& config);

std::string_view name(Architecture architecture);  // "DeepseekV3ForCausalLM", ...
std::string_view name(ScoringFunc scoring_func);   // "sigmoid", "softmax"
std::string_view name(TopkMethod topk_method);     // "noaux_tc", "greedy", "group_limited_greedy"

}  // namespace leyden::formats
