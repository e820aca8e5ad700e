#include "formats/gguf_config.h"

#include <fmt/format.h>

#include <climits>
#include <string>

#include "formats/decimal.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

/// Keys that begin with the architecture's name and a dot.
class ArchitectureKeys {
 public:
  explicit ArchitectureKeys(const GgufKeys& keys)
      : keys_(keys), architecture_(keys.string("general.architecture")) {
    if (architecture_ == "deepseek2" || architecture_ == "deepseek32") return;
    throw LoadError(
        keys.file_name(),
        fmt::format("the model's architecture is '{}', which leyden can't run; expected "
                    "'deepseek2' or 'deepseek32'",
                    excerpt(architecture_, 60)));
  }

  const GgufKeys& all() const { return keys_; }
  bool has_indexer() const { return architecture_ == "deepseek32"; }
  std::string full(const char* key) const { return architecture_ + "." + key; }
  bool has(const char* key) const { return keys_.has(full(key)); }

  int count(const char* key, int min = 1) const {
    return static_cast<int>(keys_.integer(full(key), min, INT_MAX));
  }
  int count_or(const char* key, int if_absent, int min = 0) const {
    return static_cast<int>(keys_.integer_or(full(key), if_absent, min, INT_MAX));
  }
  double number_or(const char* key, double if_absent) const {
    return keys_.number_or(full(key), if_absent);
  }
  [[noreturn]] void refuse(const char* key, const std::string& problem) const {
    keys_.refuse(full(key), problem);
  }

 private:
  const GgufKeys& keys_;
  std::string architecture_;
};

void read_layers(const ArchitectureKeys& keys, ModelConfig& config) {
  const int blocks = keys.count("block_count");
  config.num_nextn_predict_layers = keys.count_or("nextn_predict_layers", 0);
  if (config.num_nextn_predict_layers >= blocks) {
    keys.refuse("nextn_predict_layers", fmt::format("is {}, expected fewer than block_count {}",
                                                    config.num_nextn_predict_layers, blocks));
  }
  config.num_hidden_layers = blocks - config.num_nextn_predict_layers;
  config.hidden_size = keys.count("embedding_length");
  config.max_position_embeddings = keys.count("context_length");
  config.intermediate_size = keys.count("feed_forward_length");
  config.rms_norm_eps = keys.all().number(keys.full("attention.layer_norm_rms_epsilon"));
}

/// Head sizes: the `_mla` keys hold those of a head; where they are missing, an older converter
/// wrote the same to the keys without `_mla`, which otherwise describe the absorbed form.
void read_attention(const ArchitectureKeys& keys, ModelConfig& config) {
  config.num_attention_heads = keys.count("attention.head_count");
  config.q_lora_rank = keys.count_or("attention.q_lora_rank", 0);
  config.kv_lora_rank = keys.count("attention.kv_lora_rank");
  config.qk_rope_head_dim = keys.count("rope.dimension_count");
  const bool is_legacy = !keys.has("attention.key_length_mla");
  const char* key_length = is_legacy ? "attention.key_length" : "attention.key_length_mla";
  const int head_dim = keys.count(key_length);
  if (head_dim <= config.qk_rope_head_dim) {
    keys.refuse(key_length, fmt::format("is {}, expected more than rope.dimension_count {}",
                                        head_dim, config.qk_rope_head_dim));
  }
  config.qk_nope_head_dim = head_dim - config.qk_rope_head_dim;
  config.v_head_dim =
      keys.count(is_legacy ? "attention.value_length" : "attention.value_length_mla");
  const std::int64_t absorbed = std::int64_t{config.kv_lora_rank} + config.qk_rope_head_dim;
  if (!is_legacy && keys.count_or("attention.key_length", static_cast<int>(absorbed)) != absorbed) {
    keys.refuse("attention.key_length",
                fmt::format("is {}, expected {} = kv_lora_rank {} + rope.dimension_count {}",
                            keys.count("attention.key_length", 0), absorbed, config.kv_lora_rank,
                            config.qk_rope_head_dim));
  }
}

void read_rope(const ArchitectureKeys& keys, ModelConfig& config) {
  config.rope_theta = keys.number_or("rope.freq_base", 10000);
  const auto refuse_unless_1 = [&](const char* key, const char* but) {
    const double factor = keys.number_or(key, 1);
    if (factor != 1) keys.refuse(key, fmt::format("is {}, {}", factor, but));
  };
  // What llama.cpp multiplies cos and sin by, with any type.
  for (const char* key : {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor"}) {
    refuse_unless_1(key, "expected 1");
  }
  if (!keys.has("rope.scaling.type")) {
    // Without a type llama.cpp takes "linear".
    for (const char* key : {"rope.scaling.factor", "rope.scale_linear"}) {
      refuse_unless_1(key, "but there is no 'rope.scaling.type', expected 'yarn'");
    }
    return;
  }
  const std::string type = keys.all().string(keys.full("rope.scaling.type"));
  if (type == "none") return;
  if (type != "yarn") {
    keys.refuse("rope.scaling.type", fmt::format("is '{}', expected 'yarn'", excerpt(type, 40)));
  }
  YarnScaling yarn;
  yarn.factor = keys.all().number(keys.full("rope.scaling.factor"));
  yarn.beta_fast = keys.number_or("rope.scaling.yarn_beta_fast", 32);
  yarn.beta_slow = keys.number_or("rope.scaling.yarn_beta_slow", 1);
  yarn.original_max_position_embeddings = keys.count("rope.scaling.original_context_length");
  // A tenth of mscale_all_dim as f32; seven digits make 0.707 of it again. mscale is the same, so
  // that cos and sin stay unscaled, as in every release.
  const double tenth = keys.number_or("rope.scaling.yarn_log_multiplier", 0);
  yarn.mscale_all_dim = parse_decimal(fmt::format("{:.7g}", 10 * tenth));
  yarn.mscale = yarn.mscale_all_dim;
  config.rope_scaling = yarn;
}

void read_router(const ArchitectureKeys& keys, bool has_selection_bias, ModelConfig& config) {
  config.n_routed_experts = keys.count_or("expert_count", 0);
  config.first_k_dense_replace = config.num_hidden_layers;
  if (config.n_routed_experts == 0) return;
  config.first_k_dense_replace = keys.count("leading_dense_block_count", 0);
  config.num_experts_per_tok = keys.count("expert_used_count");
  config.n_shared_experts = keys.count_or("expert_shared_count", 0);
  config.moe_intermediate_size = keys.count("expert_feed_forward_length");
  config.n_group = keys.count_or("expert_group_count", 1, 1);
  config.topk_group = keys.count_or("expert_group_used_count", config.n_group, 1);
  config.norm_topk_prob = keys.all().boolean_or(keys.full("expert_weights_norm"), false);
  config.routed_scaling_factor = keys.number_or("expert_weights_scale", 1);
  const auto gating =
      keys.all().integer_or(keys.full("expert_gating_func"), /*if_absent=*/1, /*min=*/1, /*max=*/2);
  config.scoring_func = gating == 1 ? ScoringFunc::kSoftmax : ScoringFunc::kSigmoid;
  config.topk_method = has_selection_bias   ? TopkMethod::kNoauxTc
                       : config.n_group > 1 ? TopkMethod::kGroupLimitedGreedy
                                            : TopkMethod::kGreedy;
}

void read_indexer(const ArchitectureKeys& keys, ModelConfig& config) {
  if (!keys.has_indexer()) return;
  config.index_n_heads = keys.count("attention.indexer.head_count");
  config.index_head_dim = keys.count("attention.indexer.key_length");
  config.index_topk = keys.count("attention.indexer.top_k");
}

void name_architecture(const ArchitectureKeys& keys, ModelConfig& config) {
  if (keys.has_indexer()) {
    config.architecture = Architecture::kDeepseekV32;
    config.model_type = "deepseek_v32";
  } else if (config.scoring_func == ScoringFunc::kSigmoid) {
    config.architecture = Architecture::kDeepseekV3;
    config.model_type = "deepseek_v3";
  } else {
    config.architecture = Architecture::kDeepseekV2;
    config.model_type = "deepseek_v2";
  }
}

void read_token_ids(const GgufKeys& keys, ModelConfig& config) {
  constexpr const char* kBos = "tokenizer.ggml.bos_token_id";
  constexpr const char* kEos = "tokenizer.ggml.eos_token_id";
  if (keys.has(kBos)) config.bos_token_id = static_cast<int>(keys.integer(kBos, 0, INT_MAX));
  if (keys.has(kEos)) config.eos_token_ids = {static_cast<int>(keys.integer(kEos, 0, INT_MAX))};
}

}  // namespace

ModelConfig gguf_model_config(const GgufKeys& all_keys, const GgufTraits& traits) {
  const ArchitectureKeys keys(all_keys);
  ModelConfig config;
  read_layers(keys, config);
  read_attention(keys, config);
  read_rope(keys, config);
  read_router(keys, traits.has_selection_bias, config);
  read_indexer(keys, config);
  name_architecture(keys, config);
  config.vocab_size =
      static_cast<int>(all_keys.integer_or(keys.full("vocab_size"), traits.vocab_size, 1, INT_MAX));
  config.tie_word_embeddings = !traits.has_head;
  read_token_ids(all_keys, config);
  check_model_config(config, all_keys.file_name());
  return config;
}

}  // namespace leyden::formats
