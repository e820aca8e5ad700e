#include "formats/hf_checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "formats/hf_shards.h"
#include "formats/json.h"
#include "formats/load_error.h"
#include "formats/row_reader.h"

namespace leyden::formats {
namespace {

constexpr std::string_view kScaleSuffix = "_scale_inv";

/// Where a tensor is stored, and its scales if it is FP8.
struct Storage {
  StoredMatrix matrix;
  std::optional<StoredMatrix> scales;
};

/// A tensor as its shard's header lists it.
struct Listed {
  CheckpointTensor tensor;
  const InputFile* file = nullptr;

  StoredMatrix stored() const {
    return {file, tensor.offset, tensor.type, tensor.rows(), tensor.cols()};
  }
};

/// Scale tensors not yet claimed by their weights, by name.
using Scales = std::map<std::string, Listed, std::less<>>;

class HfCheckpoint final : public Checkpoint {
 public:
  explicit HfCheckpoint(const std::filesystem::path& directory);

  std::optional<std::string> companion(std::string_view file_name) const override;
  std::vector<std::filesystem::path> files() const override;
  void read_rows_f32(const CheckpointTensor& tensor, std::int64_t row_begin, std::int64_t row_end,
                     float* to) const override;
  void read_rows_raw(const CheckpointTensor& tensor, std::int64_t row_begin, std::int64_t row_end,
                     std::span<std::byte> to) const override;

 private:
  void add_tensors();
  const Storage& storage_of(const CheckpointTensor& tensor) const {
    return storage_[static_cast<std::size_t>(&tensor - tensors().data())];
  }

  std::filesystem::path directory_;
  std::vector<HfShard> shards_;
  std::vector<Storage> storage_;  // parallel to tensors()
};

/// Checks that `scales` hold one factor for each 128 x 128 block of an FP8 tensor.
void check_scales(const CheckpointTensor& tensor, const CheckpointTensor& scales) {
  if (tensor.shape.size() != 2) {
    throw LoadError(tensor.file, fmt::format("tensor '{}' is F8_E4M3 with {} dimensions, expected "
                                             "a matrix",
                                             tensor.name, tensor.shape.size()));
  }
  const std::vector<std::int64_t> expected{(tensor.rows() + 127) / 128,
                                           (tensor.cols() + 127) / 128};
  if (scales.type == TensorType::kF32 && scales.shape == expected) return;
  throw LoadError(
      scales.file,
      fmt::format("tensor '{}' at byte {}: is {} [{}], expected F32 [{}]: one scale per "
                  "128 x 128 block of [{}]",
                  scales.name, scales.offset, name(scales.type), fmt::join(scales.shape, ", "),
                  fmt::join(expected, ", "), fmt::join(tensor.shape, ", ")));
}

/// Finds the scales of a tensor that needs some and takes them from the map.
Storage locate(const Listed& weight, Scales& scales) {
  const CheckpointTensor& tensor = weight.tensor;
  if (tensor.type != TensorType::kF8E4m3) return {weight.stored(), std::nullopt};
  const auto found = scales.find(tensor.name + std::string(kScaleSuffix));
  if (found == scales.end()) {
    throw LoadError(tensor.file, fmt::format("tensor '{}' is F8_E4M3, but its scales '{}{}' are "
                                             "missing",
                                             tensor.name, tensor.name, kScaleSuffix));
  }
  check_scales(tensor, found->second.tensor);
  return {weight.stored(), scales.extract(found).mapped().stored()};
}

HfCheckpoint::HfCheckpoint(const std::filesystem::path& directory)
    : Checkpoint(directory.string()), directory_(directory) {
  const std::filesystem::path config_path = directory / "config.json";
  std::string text = read_regular_file(config_path);
  ModelConfig config = parse_model_config(text, config_path.string());
  set_config(std::move(config), std::move(text));
  shards_ = open_hf_shards(directory);
  add_tensors();
}

void HfCheckpoint::add_tensors() {
  std::vector<Listed> weights;
  Scales scales;
  for (const HfShard& shard : shards_) {
    for (const SafetensorsEntry& entry : shard.entries) {
      const CheckpointTensor tensor{entry.name,        entry.type,   entry.shape,
                                    shard.file.name(), entry.offset, entry.bytes};
      if (entry.name.ends_with(kScaleSuffix)) {
        scales.emplace(entry.name, Listed{tensor, &shard.file});
      } else {
        weights.push_back({tensor, &shard.file});
      }
    }
  }
  std::vector<CheckpointTensor> tensors;
  for (Listed& weight : weights) {
    storage_.push_back(locate(weight, scales));
    tensors.push_back(std::move(weight.tensor));
  }
  set_tensors(std::move(tensors));
  if (scales.empty()) return;
  const CheckpointTensor& orphan = scales.begin()->second.tensor;
  throw LoadError(orphan.file, fmt::format("tensor '{}' holds scales, but there is no F8_E4M3 "
                                           "tensor they belong to",
                                           orphan.name));
}

std::optional<std::string> HfCheckpoint::companion(std::string_view file_name) const {
  const std::filesystem::path path = directory_ / file_name;
  std::error_code ignored;
  if (std::filesystem::symlink_status(path, ignored).type() ==
      std::filesystem::file_type::not_found) {
    return std::nullopt;
  }
  return read_regular_file(path);
}

std::vector<std::filesystem::path> HfCheckpoint::files() const {
  std::vector<std::filesystem::path> files;
  for (const char* name :
       {"config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja", "generation_config.json", "model.safetensors"}) {
    files.push_back(directory_ / name);
  }
  for (const HfShard& shard : shards_) {
    if (shard.file.name() != files.back()) files.emplace_back(shard.file.name());
  }
  return files;
}

void HfCheckpoint::read_rows_f32(const CheckpointTensor& tensor, std::int64_t row_begin,
                                 std::int64_t row_end, float* to) const {
  const Storage& storage = storage_of(tensor);
  if (storage.scales) {
    read_f8_rows_f32(storage.matrix, *storage.scales, row_begin, row_end, to);
  } else {
    refuse_other_than_weights(tensor);
    formats::read_rows_f32(storage.matrix, row_begin, row_end, to);
  }
}

void HfCheckpoint::read_rows_raw(const CheckpointTensor& tensor, std::int64_t row_begin,
                                 std::int64_t, std::span<std::byte> to) const {
  const StoredMatrix& matrix = storage_of(tensor).matrix;
  matrix.file->read_exact(matrix.row_offset(row_begin), to);
}

}  // namespace

std::unique_ptr<Checkpoint> open_hf_checkpoint(const std::filesystem::path& directory) {
  return std::make_unique<HfCheckpoint>(directory);
}

}  // namespace leyden::formats
