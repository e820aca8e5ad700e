#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "formats/load_error.h"
#include "formats/model_config.h"
#include "simd/index_tile.h"

namespace leyden::formats {
namespace {

// Far beyond any released model, and small enough that products of two still fit in 63 bits.
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxCount = 1 << 16;
constexpr int kMaxTokens = 1 << 28;
constexpr double kMaxParameters = 1e14;

class Checker {
 public:
  explicit Checker(const std::string& file_name) : file_name_(file_name) {}

  void range(std::string_view field, double value, double min, double max) const {
    if (value >= min && value <= max) return;  // false for NaN
    throw LoadError(file_name_, fmt::format("field '{}' is {}, expected a value from {} to {}",
                                            field, value, min, max));
  }

  void require(bool holds, const std::string& what) const {
    if (!holds) throw LoadError(file_name_, what);
  }

 private:
  const std::string& file_name_;
};

void check_attention(const ModelConfig& c, const Checker& check) {
  check.range("num_attention_heads", c.num_attention_heads, 1, kMaxCount);
  check.range("q_lora_rank", c.q_lora_rank, 0, kMaxWidth);
  check.range("kv_lora_rank", c.kv_lora_rank, 1, kMaxWidth);
  check.range("qk_nope_head_dim", c.qk_nope_head_dim, 1, kMaxCount);
  check.range("qk_rope_head_dim", c.qk_rope_head_dim, 2, kMaxCount);
  check.range("v_head_dim", c.v_head_dim, 1, kMaxCount);
  check.require(c.qk_rope_head_dim % 2 == 0,
                fmt::format("field 'qk_rope_head_dim' is {}, expected an even number: RoPE turns "
                            "pairs",
                            c.qk_rope_head_dim));
  check.range("rope_theta", c.rope_theta, 1.0001, 1e12);
  if (!c.rope_scaling) return;
  const YarnScaling& yarn = *c.rope_scaling;
  check.range("rope_scaling.factor", yarn.factor, 1, 1e6);
  check.range("rope_scaling.beta_fast", yarn.beta_fast, 1e-3, 1e6);
  check.range("rope_scaling.beta_slow", yarn.beta_slow, 1e-3, 1e6);
  check.range("rope_scaling.mscale", yarn.mscale, 0, 100);
  check.range("rope_scaling.mscale_all_dim", yarn.mscale_all_dim, 0, 100);
  check.range("rope_scaling.original_max_position_embeddings",
              yarn.original_max_position_embeddings, 1, kMaxTokens);
  check.require(yarn.beta_slow <= yarn.beta_fast,
                fmt::format("rope_scaling.beta_slow {} is larger than beta_fast {}", yarn.beta_slow,
                            yarn.beta_fast));
}

void check_router(const ModelConfig& c, const Checker& check) {
  check.range("n_routed_experts", c.n_routed_experts, 0, kMaxCount);
  check.range("first_k_dense_replace", c.first_k_dense_replace, 0, c.num_hidden_layers);
  if (c.n_routed_experts == 0) {
    check.require(c.first_k_dense_replace == c.num_hidden_layers,
                  "n_routed_experts is 0, but not every layer is dense");
    return;
  }
  check.range("moe_intermediate_size", c.moe_intermediate_size, 1, kMaxWidth);
  check.range("n_shared_experts", c.n_shared_experts, 0, 1024);
  check.range("num_experts_per_tok", c.num_experts_per_tok, 1, c.n_routed_experts);
  check.range("n_group", c.n_group, 1, c.n_routed_experts);
  check.range("topk_group", c.topk_group, 1, c.n_group);
  check.range("routed_scaling_factor", c.routed_scaling_factor, 1e-6, 1e6);
  if (c.topk_method == TopkMethod::kGreedy) return;
  check.require(
      c.n_routed_experts % c.n_group == 0,
      fmt::format("n_group {} doesn't divide n_routed_experts {}", c.n_group, c.n_routed_experts));
  const int per_group = c.n_routed_experts / c.n_group;
  check.require(
      c.num_experts_per_tok <= c.topk_group * per_group,
      fmt::format("num_experts_per_tok is {}, but topk_group {} groups of {} experts "
                  "hold only {}",
                  c.num_experts_per_tok, c.topk_group, per_group, c.topk_group * per_group));
  check.require(c.topk_method != TopkMethod::kNoauxTc || c.n_group == 1 || per_group >= 2,
                fmt::format("n_group {} leaves one expert to a group, but topk_method noaux_tc "
                            "adds the two best of each",
                            c.n_group));
}

void check_indexer(const ModelConfig& c, const Checker& check) {
  if (!c.has_indexer()) return;
  check.range("index_topk", c.index_topk, 1, kMaxTokens);
  check.range("index_n_heads", c.index_n_heads, 1, kMaxCount);
  check.range("index_head_dim", c.index_head_dim, simd::kMinIndexDim, simd::kMaxIndexDim);
  check.require(std::has_single_bit(static_cast<unsigned>(c.index_head_dim)),
                fmt::format("field 'index_head_dim' is {}, expected a power of two for the "
                            "Hadamard rotation",
                            c.index_head_dim));
  check.require(c.index_head_dim >= c.qk_rope_head_dim,
                fmt::format("field 'index_head_dim' is {}, expected at least qk_rope_head_dim {}",
                            c.index_head_dim, c.qk_rope_head_dim));
  check.require(c.q_lora_rank > 0,
                "field 'q_lora_rank' is null, but the indexer needs the query latent");
}

void check_tokens(const ModelConfig& c, const Checker& check) {
  check.range("vocab_size", c.vocab_size, 1, 1 << 24);
  if (c.bos_token_id) check.range("bos_token_id", *c.bos_token_id, 0, c.vocab_size - 1);
  for (const int id : c.eos_token_ids) check.range("eos_token_id", id, 0, c.vocab_size - 1);
}

double parameters(const ModelConfig& c) {
  const double layers = c.num_hidden_layers + c.num_nextn_predict_layers;
  const double heads =
      double{1} * c.num_attention_heads * (c.qk_nope_head_dim + c.qk_rope_head_dim + c.v_head_dim);
  const double experts =
      double{3} * c.moe_intermediate_size * (c.n_routed_experts + c.n_shared_experts);
  return layers * c.hidden_size * (experts + 3.0 * c.intermediate_size + heads) +
         2.0 * c.vocab_size * c.hidden_size;
}

}  // namespace

void check_model_config(const ModelConfig& c, const std::string& file_name) {
  const Checker check(file_name);
  check.range("hidden_size", c.hidden_size, 1, kMaxWidth);
  check.range("num_hidden_layers", c.num_hidden_layers, 1, 4096);
  check.range("num_nextn_predict_layers", c.num_nextn_predict_layers, 0, 64);
  check.range("max_position_embeddings", c.max_position_embeddings, 1, kMaxTokens);
  check.range("intermediate_size", c.intermediate_size, 1, kMaxWidth);
  check.range("rms_norm_eps", c.rms_norm_eps, 1e-12, 0.1);
  check_attention(c, check);
  check_router(c, check);
  check_indexer(c, check);
  check_tokens(c, check);
  check.require(parameters(c) <= kMaxParameters,
                fmt::format("the sizes describe a model of about {:.0e} parameters, expected at "
                            "most {:.0e}",
                            parameters(c), kMaxParameters));
}

}  // namespace leyden::formats
