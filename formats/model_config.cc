#include "formats/model_config.h"

#include <fmt/format.h>

#include <array>
#include <climits>

#include "formats/json_field.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/named.h"

namespace leyden::formats {
namespace {

constexpr std::array<Named<Architecture>, 4> kArchitectures{{
    {"DeepseekV2ForCausalLM", Architecture::kDeepseekV2},
    {"DeepseekV3ForCausalLM", Architecture::kDeepseekV3},
    {"DeepseekV32ForCausalLM", Architecture::kDeepseekV32},
    {"GlmMoeDsaForCausalLM", Architecture::kGlmMoeDsa},
}};
constexpr std::array<Named<ScoringFunc>, 2> kScoringFuncs{{
    {"sigmoid", ScoringFunc::kSigmoid},
    {"softmax", ScoringFunc::kSoftmax},
}};
constexpr std::array<Named<TopkMethod>, 3> kTopkMethods{{
    {"greedy", TopkMethod::kGreedy},
    {"group_limited_greedy", TopkMethod::kGroupLimitedGreedy},
    {"noaux_tc", TopkMethod::kNoauxTc},
}};

template <typename Enum, std::size_t N>
std::string names_in(const std::array<Named<Enum>, N>& table) {
  std::string names;
  for (const auto& row : table) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", row.name);
  }
  return "one of " + names;
}

template <typename Enum, std::size_t N>
Enum value_in(const std::array<Named<Enum>, N>& table, const JsonField& fields,
              std::string_view field, Enum if_absent) {
  if (!fields.has(field)) return if_absent;
  const std::string& text = fields.string(field);
  if (const auto value = value_named(table, text)) return *value;
  fields.at(field).refuse(names_in(table));
}

Architecture read_architecture(const JsonField& fields) {
  const JsonField list = fields.at("architectures");
  if (list.size() == 0) list.refuse("a list holding " + names_in(kArchitectures));
  const std::string& found = list.element(0).as_string();
  if (const auto value = value_named(kArchitectures, found)) return *value;
  throw LoadError(fields.origin(),
                  fmt::format("the model's architecture is '{}', which leyden can't run; field "
                              "'architectures' should hold {}",
                              excerpt(found, 60), names_in(kArchitectures)));
}

/// The object that holds rope_type and its numbers: "rope_scaling" or, from transformers 5 on,
/// "rope_parameters", where rope_theta has moved too.
void read_rope(const JsonField& fields, ModelConfig& config) {
  const auto parameters = fields.find("rope_parameters");
  const auto scaling = parameters ? parameters : fields.find("rope_scaling");
  config.rope_theta = parameters && parameters->has("rope_theta") ? parameters->number("rope_theta")
                                                                  : fields.number("rope_theta");
  if (!scaling) return;
  const std::string_view type_field = scaling->has("rope_type") ? "rope_type" : "type";
  const std::string type = scaling->string(type_field);
  if (type == "default") return;
  if (type != "yarn") scaling->at(type_field).refuse("\"yarn\" or \"default\"");
  YarnScaling yarn;
  yarn.factor = scaling->number("factor");
  yarn.beta_fast = scaling->number_or("beta_fast", 32);
  yarn.beta_slow = scaling->number_or("beta_slow", 1);
  yarn.mscale = scaling->number_or("mscale", 1);
  yarn.mscale_all_dim = scaling->number_or("mscale_all_dim", 0);
  yarn.original_max_position_embeddings =
      static_cast<int>(scaling->integer("original_max_position_embeddings", 1, INT_MAX));
  config.rope_scaling = yarn;
}

void read_router(const JsonField& fields, ModelConfig& config) {
  const auto integer = [&](std::string_view field) {
    return static_cast<int>(fields.integer(field, 1, INT_MAX));
  };
  config.n_routed_experts = static_cast<int>(fields.integer_or("n_routed_experts", 0, 0, INT_MAX));
  if (config.n_routed_experts == 0) {
    config.first_k_dense_replace = config.num_hidden_layers;
    return;
  }
  // Configs written by newer transformers leave out what the architecture implies.
  const bool v2 = config.architecture == Architecture::kDeepseekV2;
  config.scoring_func = value_in(kScoringFuncs, fields, "scoring_func",
                                 v2 ? ScoringFunc::kSoftmax : ScoringFunc::kSigmoid);
  config.topk_method = value_in(kTopkMethods, fields, "topk_method",
                                v2 ? TopkMethod::kGreedy : TopkMethod::kNoauxTc);
  config.first_k_dense_replace =
      static_cast<int>(fields.integer_or("first_k_dense_replace", 0, 0, INT_MAX));
  if (fields.integer_or("moe_layer_freq", 1, 1, INT_MAX) != 1)
    fields.at("moe_layer_freq").refuse("1");
  config.moe_intermediate_size = integer("moe_intermediate_size");
  config.num_experts_per_tok = integer("num_experts_per_tok");
  config.n_shared_experts = static_cast<int>(fields.integer_or("n_shared_experts", 0, 0, INT_MAX));
  config.n_group = static_cast<int>(fields.integer_or("n_group", 1, 1, INT_MAX));
  config.topk_group = static_cast<int>(fields.integer_or("topk_group", 1, 1, INT_MAX));
  config.norm_topk_prob = fields.boolean_or("norm_topk_prob", !v2);
  config.routed_scaling_factor = fields.number_or("routed_scaling_factor", 1);
}

void read_indexer(const JsonField& fields, ModelConfig& config) {
  const bool expected = config.architecture == Architecture::kDeepseekV32 ||
                        config.architecture == Architecture::kGlmMoeDsa;
  if (!expected) {
    if (fields.has("index_topk")) fields.at("index_topk").refuse("nothing in this architecture");
    return;
  }
  config.index_n_heads = static_cast<int>(fields.integer("index_n_heads", 1, INT_MAX));
  config.index_head_dim = static_cast<int>(fields.integer("index_head_dim", 1, INT_MAX));
  config.index_topk = static_cast<int>(fields.integer("index_topk", 1, INT_MAX));
  config.indexer_rope_interleave = fields.boolean_or("indexer_rope_interleave", false);
}

void read_quantization(const JsonField& fields, ModelConfig& config) {
  const auto quantization = fields.find("quantization_config");
  if (!quantization) return;
  if (quantization->string("quant_method") != "fp8")
    quantization->at("quant_method").refuse("\"fp8\"");
  if (quantization->string_or("fmt", "e4m3") != "e4m3") quantization->at("fmt").refuse("\"e4m3\"");
  const JsonField block = quantization->at("weight_block_size");
  if (block.value() != Json::array({128, 128})) {
    throw LoadError(fields.origin(),
                    fmt::format("field '{}' is {}, expected [128, 128]", block.path(),
                                excerpt(json_text(block.value()), 60)));
  }
  config.ue8m0_scales = quantization->string_or("scale_fmt", "") == "ue8m0";
}

void read_token_ids(const JsonField& fields, ModelConfig& config) {
  if (const auto bos = fields.find("bos_token_id")) {
    config.bos_token_id = static_cast<int>(bos->as_integer(0, INT_MAX));
  }
  const auto eos = fields.find("eos_token_id");
  if (!eos) return;
  const bool is_list = eos->value().is_array();
  for (std::size_t i = 0; i < (is_list ? eos->size() : 1); ++i) {
    const JsonField id = is_list ? eos->element(i) : *eos;
    config.eos_token_ids.push_back(static_cast<int>(id.as_integer(0, INT_MAX)));
  }
}

/// Switches whose other position would need code that leyden doesn't have.
void read_switches(const JsonField& fields) {
  if (fields.string_or("hidden_act", "silu") != "silu") fields.at("hidden_act").refuse("\"silu\"");
  if (fields.boolean_or("attention_bias", false)) fields.at("attention_bias").refuse("false");
  if (!fields.boolean_or("rope_interleave", true)) fields.at("rope_interleave").refuse("true");
}

}  // namespace

ModelConfig parse_model_config(std::string_view text, const std::string& file_name) {
  const Json document = parse_json(text, file_name);
  const JsonField fields(document, file_name);
  const auto integer = [&](std::string_view field) {
    return static_cast<int>(fields.integer(field, 1, INT_MAX));
  };
  ModelConfig config;
  config.architecture = read_architecture(fields);
  config.model_type = fields.string_or("model_type", "");
  config.hidden_size = integer("hidden_size");
  config.num_hidden_layers = integer("num_hidden_layers");
  config.vocab_size = integer("vocab_size");
  config.max_position_embeddings = integer("max_position_embeddings");
  config.num_nextn_predict_layers =
      static_cast<int>(fields.integer_or("num_nextn_predict_layers", 0, 0, INT_MAX));
  config.tie_word_embeddings = fields.boolean_or("tie_word_embeddings", false);
  config.rms_norm_eps = fields.number("rms_norm_eps");
  config.num_attention_heads = integer("num_attention_heads");
  config.q_lora_rank = static_cast<int>(fields.integer_or("q_lora_rank", 0, 1, INT_MAX));
  config.kv_lora_rank = integer("kv_lora_rank");
  config.qk_nope_head_dim = integer("qk_nope_head_dim");
  config.qk_rope_head_dim = integer("qk_rope_head_dim");
  config.v_head_dim = integer("v_head_dim");
  config.intermediate_size = integer("intermediate_size");
  read_rope(fields, config);
  read_router(fields, config);
  read_indexer(fields, config);
  read_quantization(fields, config);
  read_token_ids(fields, config);
  read_switches(fields);
  check_model_config(config, file_name);
  return config;
}

std::string_view name(Architecture architecture) { return name_in(kArchitectures, architecture); }
std::string_view name(ScoringFunc scoring_func) { return name_in(kScoringFuncs, scoring_func); }
std::string_view name(TopkMethod topk_method) { return name_in(kTopkMethods, topk_method); }

}  // namespace leyden::formats
