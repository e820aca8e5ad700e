#include <utility>

#include "formats/json.h"
#include "formats/model_config.h"

namespace leyden::formats {
namespace {

Json yarn_json(const YarnScaling& yarn) {
  return {{"type", "yarn"},
          {"factor", yarn.factor},
          {"beta_fast", yarn.beta_fast},
          {"beta_slow", yarn.beta_slow},
          {"mscale", yarn.mscale},
          {"mscale_all_dim", yarn.mscale_all_dim},
          {"original_max_position_embeddings", yarn.original_max_position_embeddings}};
}

Json or_null(int value) { return value == 0 ? Json() : Json(value); }

}  // namespace

std::string to_json(const ModelConfig& c) {
  Json json{{"architectures", Json::array({name(c.architecture)})},
            {"model_type", c.model_type},
            {"hidden_size", c.hidden_size},
            {"num_hidden_layers", c.num_hidden_layers},
            {"first_k_dense_replace", c.first_k_dense_replace},
            {"vocab_size", c.vocab_size},
            {"max_position_embeddings", c.max_position_embeddings},
            {"num_nextn_predict_layers", c.num_nextn_predict_layers},
            {"tie_word_embeddings", c.tie_word_embeddings},
            {"rms_norm_eps", c.rms_norm_eps},
            {"num_attention_heads", c.num_attention_heads},
            {"q_lora_rank", or_null(c.q_lora_rank)},
            {"kv_lora_rank", c.kv_lora_rank},
            {"qk_nope_head_dim", c.qk_nope_head_dim},
            {"qk_rope_head_dim", c.qk_rope_head_dim},
            {"v_head_dim", c.v_head_dim},
            {"rope_theta", c.rope_theta},
            {"rope_scaling", c.rope_scaling ? yarn_json(*c.rope_scaling) : Json()},
            {"intermediate_size", c.intermediate_size},
            {"n_routed_experts", or_null(c.n_routed_experts)}};
  if (c.n_routed_experts > 0) {
    json["moe_intermediate_size"] = c.moe_intermediate_size;
    json["n_shared_experts"] = c.n_shared_experts;
    json["num_experts_per_tok"] = c.num_experts_per_tok;
    json["n_group"] = c.n_group;
    json["topk_group"] = c.topk_group;
    json["scoring_func"] = name(c.scoring_func);
    json["topk_method"] = name(c.topk_method);
    json["norm_topk_prob"] = c.norm_topk_prob;
    json["routed_scaling_factor"] = c.routed_scaling_factor;
  }
  if (c.has_indexer()) {
    json["index_n_heads"] = c.index_n_heads;
    json["index_head_dim"] = c.index_head_dim;
    json["index_topk"] = c.index_topk;
    json["indexer_rope_interleave"] = c.indexer_rope_interleave;
  }
  if (c.ue8m0_scales) {
    json["quantization_config"] = {{"quant_method", "fp8"},
                                   {"fmt", "e4m3"},
                                   {"weight_block_size", Json::array({128, 128})},
                                   {"scale_fmt", "ue8m0"}};
  }
  if (c.bos_token_id) json["bos_token_id"] = *c.bos_token_id;
  if (!c.eos_token_ids.empty()) json["eos_token_id"] = c.eos_token_ids;
  return json.dump(2);
}

}  // namespace leyden::formats
