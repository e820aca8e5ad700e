#include "src/model/weights.h"

#include "src/model/tensor_check.h"

namespace leyden::model {
namespace {

/// Looks tensors up by name under a prefix; every one was checked before.
class Binder {
 public:
  explicit Binder(const TensorTable& table) : table_(table) {}

  void enter_layer(int layer) { prefix_ = "layers." + std::to_string(layer) + "."; }
  void leave_layer() { prefix_.clear(); }

  const PlacedTensor& tensor(const std::string& name) const {
    return table_.find(prefix_ + name)->second;
  }
  const float* vector(const std::string& name) const {
    return reinterpret_cast<const float*>(tensor(name).rows_data);
  }
  PlacedStack stack(const std::string& name) const { return tensor(name).stack(); }
  PlacedMatrix matrix(const std::string& name) const { return stack(name)[0]; }
  PlacedMatrix choosing_matrix(const std::string& name) const {
    PlacedMatrix m = matrix(name);
    m.chooses = true;
    return m;
  }
  quant::RowsView rows(const std::string& name) const {
    const PlacedTensor& t = tensor(name);
    return {t.spec.format, t.spec.rows, t.spec.cols, t.rows_data};
  }
  MlpWeights mlp(const std::string& name) const {
    return {matrix(name + ".gate"), matrix(name + ".up"), matrix(name + ".down")};
  }

 private:
  const TensorTable& table_;
  std::string prefix_;
};

AttentionWeights bind_attention(const formats::ModelConfig& config, const Binder& b) {
  AttentionWeights w;
  if (config.q_lora_rank > 0) {
    w.q_a = b.matrix("attn.q_a");
    w.q_a_norm = b.vector("attn.q_a_norm");
    w.q_b = b.matrix("attn.q_b");
  } else {
    w.q_b = b.matrix("attn.q");
  }
  w.kv_a = b.matrix("attn.kv_a");
  w.kv_a_norm = b.vector("attn.kv_a_norm");
  w.k_b = b.stack("attn.k_b");
  w.k_b_absorbed = b.stack("attn.k_b_absorbed");
  w.v_b = b.stack("attn.v_b");
  w.o = b.matrix("attn.o");
  return w;
}

IndexerWeights bind_indexer(const Binder& b) {
  return {b.matrix("indexer.q_b"), b.matrix("indexer.k"), b.choosing_matrix("indexer.head_weights"),
          b.vector("indexer.k_norm"), b.vector("indexer.k_norm_bias")};
}

MoeWeights bind_moe(const formats::ModelConfig& config, const Binder& b) {
  MoeWeights w;
  w.router = b.choosing_matrix("router");
  if (config.topk_method == formats::TopkMethod::kNoauxTc) w.router_bias = b.vector("router_bias");
  w.gate = b.stack("experts.gate");
  w.up = b.stack("experts.up");
  w.down = b.stack("experts.down");
  if (config.n_shared_experts > 0) w.shared = b.mlp("shared");
  return w;
}

}  // namespace

ModelWeights bind_weights(const formats::ModelConfig& config, const TensorTable& table,
                          const std::string& file) {
  std::vector<quant::TensorSpec> specs;
  for (const auto& [name, tensor] : table) specs.push_back(tensor.spec);
  check_tensors(config, specs, file);

  Binder b(table);
  ModelWeights weights;
  weights.embed = b.rows("embed");
  weights.final_norm = b.vector("final_norm");
  weights.head = b.matrix("head");
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    b.enter_layer(layer);
    LayerWeights& w = weights.layers.emplace_back();
    w.attn_norm = b.vector("attn_norm");
    w.attention = bind_attention(config, b);
    if (config.has_indexer()) w.indexer = bind_indexer(b);
    w.ffn_norm = b.vector("ffn_norm");
    if (config.is_moe_layer(layer)) {
      w.moe = bind_moe(config, b);
    } else {
      w.mlp = b.mlp("ffn");
    }
  }
  return weights;
}

}  // namespace leyden::model
