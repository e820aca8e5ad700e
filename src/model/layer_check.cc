#include "src/model/layer_check.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/load_error.h"
#include "src/model/tensor_plan.h"

namespace leyden::model {
namespace {

using formats::Checkpoint;
using formats::CheckpointTensor;
using formats::ModelConfig;

[[noreturn]] void refuse(const CheckpointTensor& tensor, const std::string& problem) {
  throw formats::LoadError(
      tensor.file, fmt::format("tensor '{}' at byte {} {}", tensor.name, tensor.offset, problem));
}

void check_count(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  const int n_layers = config.num_hidden_layers, n_mtp = config.num_nextn_predict_layers;
  for (int layer = 0; layer <= n_layers + n_mtp; ++layer) {
    const auto* norm =
        checkpoint.find(fmt::format("model.layers.{}.input_layernorm.weight", layer));
    const auto* mtp = checkpoint.find(fmt::format("model.layers.{}.eh_proj.weight", layer));
    if (layer < n_layers && mtp != nullptr) {
      refuse(*mtp, fmt::format("is of a layer that predicts further tokens, but the config counts "
                               "it among the others: its num_hidden_layers is {}, its "
                               "num_nextn_predict_layers {}",
                               n_layers, n_mtp));
    }
    if (layer < n_layers || norm == nullptr || mtp != nullptr) continue;
    refuse(*norm, fmt::format("is of a layer that the config doesn't have: its num_hidden_layers "
                              "is {}, and this layer predicts no further token (it has no "
                              "'model.layers.{}.eh_proj.weight')",
                              n_layers, layer));
  }
}

/// `tensor`, if it is there, is one that the config's `field` leaves out.
void check_absent(const CheckpointTensor* tensor, std::string_view field, std::string_view value) {
  if (tensor == nullptr) return;
  refuse(*tensor, fmt::format("is a part of the model that the config leaves out: its {} is {}",
                              field, value));
}

void check_parts(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  std::vector<PlannedTensor> plan = plan_tensors(config);
  for (PlannedTensor& planned : plan_mtp_tensors(config)) plan.push_back(std::move(planned));
  std::set<std::string_view> used;
  for (const PlannedTensor& planned : plan) used.insert(planned.source.name);
  for (const PlannedTensor& planned : plan) {
    constexpr std::string_view kWeight = ".weight";
    const std::string& weight = planned.source.name;
    if (weight.find(".self_attn.") == std::string::npos || !weight.ends_with(kWeight)) continue;
    const std::string bias = weight.substr(0, weight.size() - kWeight.size()) + ".bias";
    if (!used.contains(bias)) check_absent(checkpoint.find(bias), "attention_bias", "false");
  }
  const int n_layers = config.num_hidden_layers + config.num_nextn_predict_layers;
  for (int layer = 0; layer < n_layers; ++layer) {
    const std::string mlp = fmt::format("model.layers.{}.mlp.", layer);
    if (config.n_shared_experts == 0) {
      for (const char* part : {"gate", "up", "down"}) {
        check_absent(checkpoint.find(fmt::format("{}shared_experts.{}_proj.weight", mlp, part)),
                     "n_shared_experts", "0");
      }
    }
    if (config.topk_method != formats::TopkMethod::kNoauxTc) {
      check_absent(checkpoint.find(mlp + "gate.e_score_correction_bias"), "topk_method",
                   name(config.topk_method));
    }
  }
}

}  // namespace

void check_layers(const Checkpoint& checkpoint) {
  check_count(checkpoint);
  check_parts(checkpoint);
}

}  // namespace leyden::model
