#include "formats/gguf_names.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace leyden::formats {
namespace {

struct Names {
  std::string_view gguf;
  std::string_view hf;
};

constexpr std::array kOutsideLayers{
    Names{"token_embd.weight", "model.embed_tokens.weight"},
    Names{"output_norm.weight", "model.norm.weight"},
    Names{"output.weight", "lm_head.weight"},
};

// Behind "blk.N." and "model.layers.N.".
constexpr std::array kInLayers{
    Names{"attn_norm.weight", "input_layernorm.weight"},
    Names{"ffn_norm.weight", "post_attention_layernorm.weight"},
    Names{"attn_q.weight", "self_attn.q_proj.weight"},
    Names{"attn_q_a.weight", "self_attn.q_a_proj.weight"},
    Names{"attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"},
    Names{"attn_q_b.weight", "self_attn.q_b_proj.weight"},
    Names{"attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"},
    Names{"attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight"},
    Names{"attn_kv_b.weight", "self_attn.kv_b_proj.weight"},
    Names{"attn_output.weight", "self_attn.o_proj.weight"},
    Names{"indexer.attn_q_b.weight", "self_attn.indexer.wq_b.weight"},
    Names{"indexer.attn_k.weight", "self_attn.indexer.wk.weight"},
    Names{"indexer.k_norm.weight", "self_attn.indexer.k_norm.weight"},
    Names{"indexer.k_norm.bias", "self_attn.indexer.k_norm.bias"},
    Names{"indexer.proj.weight", "self_attn.indexer.weights_proj.weight"},
    Names{"ffn_gate.weight", "mlp.gate_proj.weight"},
    Names{"ffn_up.weight", "mlp.up_proj.weight"},
    Names{"ffn_down.weight", "mlp.down_proj.weight"},
    Names{"ffn_gate_inp.weight", "mlp.gate.weight"},
    Names{"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"},
    Names{"ffn_gate_exps.weight", "mlp.experts.{}.gate_proj.weight"},
    Names{"ffn_up_exps.weight", "mlp.experts.{}.up_proj.weight"},
    Names{"ffn_down_exps.weight", "mlp.experts.{}.down_proj.weight"},
    Names{"ffn_gate_shexp.weight", "mlp.shared_experts.gate_proj.weight"},
    Names{"ffn_up_shexp.weight", "mlp.shared_experts.up_proj.weight"},
    Names{"ffn_down_shexp.weight", "mlp.shared_experts.down_proj.weight"},
    Names{"nextn.eh_proj.weight", "eh_proj.weight"},
    Names{"nextn.enorm.weight", "enorm.weight"},
    Names{"nextn.hnorm.weight", "hnorm.weight"},
    Names{"nextn.embed_tokens.weight", "embed_tokens.weight"},
    Names{"nextn.shared_head_head.weight", "shared_head.head.weight"},
    Names{"nextn.shared_head_norm.weight", "shared_head.norm.weight"},
};

}  // namespace

std::optional<GgufLayerName> parse_layer_name(std::string_view gguf_name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!gguf_name.starts_with(kPrefix)) return std::nullopt;
  GgufLayerName name;
  const char* const begin = gguf_name.data() + kPrefix.size();
  const char* const end = gguf_name.data() + gguf_name.size();
  const auto [rest, error] = std::from_chars(begin, end, name.layer);
  const bool has_leading_zero = rest - begin > 1 && *begin == '0';
  if (error != std::errc() || name.layer < 0 || has_leading_zero || rest == end || *rest != '.') {
    return std::nullopt;
  }
  name.part = {rest + 1, end};
  return name;
}

std::optional<std::string> hf_tensor_name(std::string_view gguf_name) {
  for (const Names& names : kOutsideLayers) {
    if (names.gguf == gguf_name) return std::string(names.hf);
  }
  const auto layer_name = parse_layer_name(gguf_name);
  if (!layer_name) return std::nullopt;
  for (const Names& names : kInLayers) {
    if (names.gguf != layer_name->part) continue;
    return fmt::format("model.layers.{}.{}", layer_name->layer, names.hf);
  }
  // Of attention's biases the table has none; they are called as the weights.
  constexpr std::string_view kBias = "bias";
  if (!layer_name->part.starts_with("attn_") || !gguf_name.ends_with(kBias)) return std::nullopt;
  const std::string_view stem = gguf_name.substr(0, gguf_name.size() - kBias.size());
  std::optional<std::string> name = hf_tensor_name(fmt::format("{}weight", stem));
  if (name) name->replace(name->rfind('.') + 1, std::string::npos, kBias);
  return name;
}

}  // namespace leyden::formats
