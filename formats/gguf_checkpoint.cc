#include "formats/gguf_checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "formats/gguf_config.h"
#include "formats/gguf_kv_b.h"
#include "formats/gguf_names.h"
#include "formats/gguf_parts.h"
#include "formats/gguf_tokenizer.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/row_reader.h"

namespace leyden::formats {
namespace {

/// A tensor and the part of the model it lies in.
struct Located {
  const GgufFile* part = nullptr;
  const GgufTensor* tensor = nullptr;
};

CheckpointTensor described(const Located& from, std::string name) {
  const GgufTensor& t = *from.tensor;
  return {std::move(name), t.type, t.shape, from.part->name(), t.offset, t.bytes};
}

StoredMatrix stored(const Located& from) {
  const CheckpointTensor t = described(from, "");
  return {&from.part->file(), t.offset, t.type, t.rows(), t.cols()};
}

class GgufCheckpoint final : public Checkpoint {
 public:
  explicit GgufCheckpoint(const std::filesystem::path& path);

  std::optional<std::string> companion(std::string_view file_name) const override;
  std::vector<std::filesystem::path> files() const override;
  void read_rows_f32(const CheckpointTensor& tensor, std::int64_t row_begin, std::int64_t row_end,
                     float* to) const override;
  void read_rows_raw(const CheckpointTensor& tensor, std::int64_t row_begin, std::int64_t row_end,
                     std::span<std::byte> to) const override;

 private:
  using Storage = std::variant<StoredMatrix, GgufKvB>;

  GgufTraits traits() const;
  const Located* find_gguf(std::string_view gguf_name) const;
  void add(const Located& from);
  void add_experts(const Located& from, const std::string& pattern);
  void add_kv_b(const Located& keys, int layer);
  [[noreturn]] void refuse(const Located& from, const std::string& problem) const;

  const Storage& storage_of(const CheckpointTensor& tensor) const {
    return storage_[static_cast<std::size_t>(&tensor - tensors().data())];
  }

  std::vector<GgufFile> parts_;
  std::map<std::string_view, Located> by_gguf_name_;
  std::vector<CheckpointTensor> listed_;  // while they are gathered
  std::vector<Storage> storage_;          // parallel to tensors()
};

GgufCheckpoint::GgufCheckpoint(const std::filesystem::path& path)
    : Checkpoint(path.string()), parts_(open_gguf_parts(path)) {
  std::vector<Located> all;
  for (const GgufFile& part : parts_) {
    for (const GgufTensor& tensor : part.tensors()) all.push_back({&part, &tensor});
  }
  for (const Located& each : all) by_gguf_name_.emplace(each.tensor->name, each);
  ModelConfig config = gguf_model_config(parts_.front().keys(), traits());
  std::string text = to_json(config);
  set_config(std::move(config), std::move(text));
  check_gguf_tokenizer(parts_.front().keys(), this->config().vocab_size);
  for (const Located& each : all) add(each);
  set_tensors(std::move(listed_));
}

const Located* GgufCheckpoint::find_gguf(std::string_view gguf_name) const {
  const auto found = by_gguf_name_.find(gguf_name);
  return found == by_gguf_name_.end() ? nullptr : &found->second;
}

void GgufCheckpoint::refuse(const Located& from, const std::string& problem) const {
  throw LoadError(from.part->name(),
                  fmt::format("tensor '{}' at byte {}: {}", excerpt(from.tensor->name, 100),
                              from.tensor->offset, problem));
}

GgufTraits GgufCheckpoint::traits() const {
  GgufTraits traits;
  traits.has_head = find_gguf("output.weight") != nullptr;
  const Located* embedding = find_gguf("token_embd.weight");
  if (embedding == nullptr) throw LoadError(name(), "tensor 'token_embd.weight' is missing");
  traits.vocab_size = embedding->tensor->shape.front();
  traits.has_selection_bias =
      std::any_of(by_gguf_name_.begin(), by_gguf_name_.end(),
                  [](const auto& each) { return each.first.ends_with(".exp_probs_b.bias"); });
  return traits;
}

void GgufCheckpoint::add(const Located& from) {
  const auto layer_name = parse_layer_name(from.tensor->name);
  const int n_layers = config().num_hidden_layers + config().num_nextn_predict_layers;
  if (layer_name && layer_name->layer >= n_layers) {
    refuse(from, fmt::format("belongs to layer {}, expected layers 0 to {}", layer_name->layer,
                             n_layers - 1));
  }
  const auto sibling = [&](std::string_view part) {
    return layer_name ? find_gguf(fmt::format("blk.{}.{}", layer_name->layer, part)) : nullptr;
  };
  if (layer_name && layer_name->part == "attn_k_b.weight") return add_kv_b(from, layer_name->layer);
  if (layer_name && layer_name->part == "attn_v_b.weight") {
    if (sibling("attn_k_b.weight") == nullptr) refuse(from, "there is no attn_k_b beside it");
    return;  // came with attn_k_b
  }
  // ik_llama.cpp keeps the whole beside the halves.
  const bool is_doubled = layer_name && layer_name->part == "attn_kv_b.weight";
  if (is_doubled && sibling("attn_k_b.weight") != nullptr) return;
  const std::string hf_name = hf_tensor_name(from.tensor->name).value_or(from.tensor->name);
  if (hf_name.find("{}") != std::string::npos) return add_experts(from, hf_name);
  listed_.push_back(described(from, hf_name));
  storage_.emplace_back(stored(from));
}

void GgufCheckpoint::add_experts(const Located& from, const std::string& pattern) {
  const std::vector<std::int64_t>& shape = from.tensor->shape;
  if (shape.size() != 3 || shape[0] != config().n_routed_experts) {
    refuse(from, fmt::format("shape is [{}], expected [n_routed_experts {}, ...]",
                             fmt::join(shape, ", "), config().n_routed_experts));
  }
  const std::size_t placeholder = pattern.find("{}");
  const StoredMatrix all = stored(from);
  for (std::int64_t expert = 0; expert < shape[0]; ++expert) {
    StoredMatrix one = all;
    one.rows = shape[1];
    one.offset = all.row_offset(expert * shape[1]);
    std::string hf_name = pattern;
    hf_name.replace(placeholder, 2, std::to_string(expert));
    listed_.push_back({std::move(hf_name),
                       one.type,
                       {shape[1], shape[2]},
                       from.part->name(),
                       one.offset,
                       static_cast<std::uint64_t>(one.rows) * one.row_bytes()});
    storage_.emplace_back(one);
  }
}

void GgufCheckpoint::add_kv_b(const Located& keys, int layer) {
  const Located* values = find_gguf(fmt::format("blk.{}.attn_v_b.weight", layer));
  if (values == nullptr) refuse(keys, "there is no attn_v_b beside it");
  const ModelConfig& c = config();
  const GgufKvB whole{stored(keys),       stored(*values), c.num_attention_heads,
                      c.qk_nope_head_dim, c.v_head_dim,    c.kv_lora_rank};
  const auto check = [&](const Located& half, const StoredMatrix& found, std::int64_t rows,
                         std::int64_t cols) {
    if (found.rows == rows && found.cols == cols) return;
    refuse(half,
           fmt::format("shape is [{}], expected [heads {}, {}, {}]",
                       fmt::join(half.tensor->shape, ", "), whole.heads, rows / whole.heads, cols));
  };
  check(keys, whole.keys, whole.heads * whole.kv_lora_rank, whole.nope);
  check(*values, whole.values, whole.heads * whole.v, whole.kv_lora_rank);
  CheckpointTensor listed =
      described(keys, fmt::format("model.layers.{}.self_attn.kv_b_proj.weight", layer));
  listed.shape = {whole.rows(), whole.kv_lora_rank};
  listed.bytes += values->tensor->bytes;
  listed.stored_by_rows = false;
  listed_.push_back(std::move(listed));
  storage_.emplace_back(whole);
}

std::optional<std::string> GgufCheckpoint::companion(std::string_view file_name) const {
  const GgufKeys& keys = parts_.front().keys();
  if (file_name == "tokenizer.json") return gguf_tokenizer_json(keys);
  if (file_name == "tokenizer_config.json") return gguf_tokenizer_config_json(keys);
  return std::nullopt;
}

void GgufCheckpoint::read_rows_f32(const CheckpointTensor& tensor, std::int64_t row_begin,
                                   std::int64_t row_end, float* to) const {
  const Storage& storage = storage_of(tensor);
  if (const auto* matrix = std::get_if<StoredMatrix>(&storage)) {
    formats::read_rows_f32(*matrix, row_begin, row_end, to);
  } else {
    std::get<GgufKvB>(storage).read_rows_f32(row_begin, row_end, to);
  }
}

std::vector<std::filesystem::path> GgufCheckpoint::files() const {
  std::vector<std::filesystem::path> files;
  for (const GgufFile& part : parts_) files.emplace_back(part.name());
  return files;
}

void GgufCheckpoint::read_rows_raw(const CheckpointTensor& tensor, std::int64_t row_begin,
                                   std::int64_t, std::span<std::byte> to) const {
  const auto* matrix = std::get_if<StoredMatrix>(&storage_of(tensor));
  if (matrix == nullptr) {
    throw LoadError(tensor.file, fmt::format("tensor '{}' isn't stored row by row", tensor.name));
  }
  matrix->file->read_exact(matrix->row_offset(row_begin), to);
}

}  // namespace

std::unique_ptr<Checkpoint> open_gguf_checkpoint(const std::filesystem::path& path) {
  return std::make_unique<GgufCheckpoint>(path);
}

}  // namespace leyden::formats
