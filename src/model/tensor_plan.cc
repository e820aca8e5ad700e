#include "src/model/tensor_plan.h"

#include <utility>

namespace leyden::model {
namespace {

using quant::Layout;

class Planner {
 public:
  explicit Planner(const formats::ModelConfig& config) : c_(config) {}

  std::vector<PlannedTensor> plan() && {
    rows("embed", "model.embed_tokens.weight", c_.vocab_size, c_.hidden_size);
    for (int layer = 0; layer < c_.num_hidden_layers; ++layer) plan_layer(layer);
    vector("final_norm", "model.norm.weight", c_.hidden_size);
    matrix("head", c_.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight",
           c_.vocab_size, c_.hidden_size);
    return std::move(tensors_);
  }

  std::vector<PlannedTensor> plan_mtp() && {
    for (int i = 0; i < c_.num_nextn_predict_layers; ++i) {
      const int layer = c_.num_hidden_layers + i;
      plan_layer(layer);
      ours_ = "layers." + std::to_string(layer) + ".mtp.";
      theirs_ = "model.layers." + std::to_string(layer) + ".";
      rows("embed", "embed_tokens.weight", c_.vocab_size, c_.hidden_size);
      vector("embed_norm", "enorm.weight", c_.hidden_size);
      vector("hidden_norm", "hnorm.weight", c_.hidden_size);
      matrix("eh_proj", "eh_proj.weight", c_.hidden_size, 2 * std::int64_t{c_.hidden_size});
      vector("head_norm", "shared_head.norm.weight", c_.hidden_size);
      matrix("head", "shared_head.head.weight", c_.vocab_size, c_.hidden_size);
    }
    return std::move(tensors_);
  }

 private:
  void plan_layer(int layer) {
    ours_ = "layers." + std::to_string(layer) + ".";
    theirs_ = "model.layers." + std::to_string(layer) + ".";
    vector("attn_norm", "input_layernorm.weight", c_.hidden_size);
    plan_attention();
    if (c_.has_indexer()) plan_indexer();
    vector("ffn_norm", "post_attention_layernorm.weight", c_.hidden_size);
    if (c_.is_moe_layer(layer)) {
      plan_moe();
    } else {
      mlp("ffn", "mlp", c_.intermediate_size);
    }
    ours_.clear();
    theirs_.clear();
  }

  void plan_attention() {
    const std::int64_t heads = c_.num_attention_heads, latent = c_.kv_lora_rank;
    const std::int64_t nope = c_.qk_nope_head_dim, v = c_.v_head_dim;
    const std::int64_t q_rows = heads * c_.qk_head_dim();
    const std::string attn = "self_attn.";
    if (c_.q_lora_rank > 0) {
      matrix("attn.q_a", attn + "q_a_proj.weight", c_.q_lora_rank, c_.hidden_size);
      vector("attn.q_a_norm", attn + "q_a_layernorm.weight", c_.q_lora_rank);
      matrix("attn.q_b", attn + "q_b_proj.weight", q_rows, c_.q_lora_rank);
    } else {
      matrix("attn.q", attn + "q_proj.weight", q_rows, c_.hidden_size);
    }
    matrix("attn.kv_a", attn + "kv_a_proj_with_mqa.weight", latent + c_.qk_rope_head_dim,
           c_.hidden_size);
    vector("attn.kv_a_norm", attn + "kv_a_layernorm.weight", latent);

    // kv_b_proj holds, head by head, `nope` key rows and then `v` value rows. The key rows are kept
    // twice: as they are for decompressing, transposed for absorbing (docs/design.md).
    const TensorSource kv_b = {theirs_ + attn + "kv_b_proj.weight", heads * (nope + v), latent,
                               /*first_row=*/0, /*row_step=*/nope + v};
    TensorSource transposed = kv_b;
    transposed.transposed = true;
    TensorSource values = kv_b;
    values.first_row = nope;
    add({ours_ + "attn.k_b", Layout::kTiles, heads, nope, latent, kv_b});
    add({ours_ + "attn.k_b_absorbed", Layout::kTiles, heads, latent, nope, transposed});
    add({ours_ + "attn.v_b", Layout::kTiles, heads, v, latent, values});
    matrix("attn.o", attn + "o_proj.weight", c_.hidden_size, heads * v);
  }

  void plan_indexer() {
    const std::string indexer = "self_attn.indexer.";
    const std::int64_t q_input = c_.q_lora_rank > 0 ? c_.q_lora_rank : c_.hidden_size;
    matrix("indexer.q_b", indexer + "wq_b.weight",
           std::int64_t{c_.index_n_heads} * c_.index_head_dim, q_input);
    matrix("indexer.k", indexer + "wk.weight", c_.index_head_dim, c_.hidden_size);
    vector("indexer.k_norm", indexer + "k_norm.weight", c_.index_head_dim);
    vector("indexer.k_norm_bias", indexer + "k_norm.bias", c_.index_head_dim);
    matrix("indexer.head_weights", indexer + "weights_proj.weight", c_.index_n_heads,
           c_.hidden_size);
  }

  void plan_moe() {
    const std::int64_t experts = c_.n_routed_experts, width = c_.moe_intermediate_size;
    matrix("router", "mlp.gate.weight", experts, c_.hidden_size);
    if (c_.topk_method == formats::TopkMethod::kNoauxTc) {
      vector("router_bias", "mlp.gate.e_score_correction_bias", experts);
    }
    const auto stack = [&](const char* ours, const char* theirs, std::int64_t rows,
                           std::int64_t cols) {
      add({ours_ + "experts." + ours,
           Layout::kTiles,
           experts,
           rows,
           cols,
           {theirs_ + "mlp.experts.{}." + theirs + ".weight", rows, cols}});
    };
    stack("gate", "gate_proj", width, c_.hidden_size);
    stack("up", "up_proj", width, c_.hidden_size);
    stack("down", "down_proj", c_.hidden_size, width);
    if (c_.n_shared_experts > 0) {
      mlp("shared", "mlp.shared_experts", c_.n_shared_experts * width);
    }
  }

  void mlp(const std::string& ours, const std::string& theirs, std::int64_t width) {
    matrix(ours + ".gate", theirs + ".gate_proj.weight", width, c_.hidden_size);
    matrix(ours + ".up", theirs + ".up_proj.weight", width, c_.hidden_size);
    matrix(ours + ".down", theirs + ".down_proj.weight", c_.hidden_size, width);
  }

  void matrix(const std::string& ours, const std::string& theirs, std::int64_t n_rows,
              std::int64_t cols) {
    add({ours_ + ours, Layout::kTiles, 1, n_rows, cols, {theirs_ + theirs, n_rows, cols}});
  }
  void rows(const std::string& ours, const std::string& theirs, std::int64_t n_rows,
            std::int64_t cols) {
    add({ours_ + ours, Layout::kRows, 1, n_rows, cols, {theirs_ + theirs, n_rows, cols}});
  }
  void vector(const std::string& ours, const std::string& theirs, std::int64_t cols) {
    rows(ours, theirs, 1, cols);
  }
  void add(PlannedTensor tensor) { tensors_.push_back(std::move(tensor)); }

  const formats::ModelConfig& c_;
  std::string ours_, theirs_;  // prefixes of the current layer
  std::vector<PlannedTensor> tensors_;
};

}  // namespace

std::string TensorSource::name_of(std::int64_t matrix) const {
  const std::size_t at = name.find("{}");
  if (at == std::string::npos) return name;
  return name.substr(0, at) + std::to_string(matrix) + name.substr(at + 2);
}

std::vector<PlannedTensor> plan_tensors(const formats::ModelConfig& config) {
  return Planner(config).plan();
}

std::vector<PlannedTensor> plan_mtp_tensors(const formats::ModelConfig& config) {
  return Planner(config).plan_mtp();
}

}  // namespace leyden::model
