#include "formats/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "formats/container_reader.h"
#include "formats/gguf_checkpoint.h"
#include "formats/gguf_file.h"
#include "formats/hf_checkpoint.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/tensor_decode.h"
#include "quant/number.h"

namespace leyden::formats {

std::int64_t CheckpointTensor::rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

std::int64_t CheckpointTensor::cols() const { return shape.empty() ? 1 : shape.back(); }

std::unique_ptr<Checkpoint> Checkpoint::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return open_hf_checkpoint(path);
  if (!std::filesystem::exists(path, ignored)) {
    throw LoadError(path.string(), "no such file or directory");
  }
  if (is_gguf(path)) return open_gguf_checkpoint(path);
  if (is_container(path)) {
    throw LoadError(path.string(), "is a leyden container, expected original weights");
  }
  throw LoadError(path.string(), "is neither a checkpoint directory nor a GGUF file");
}

const CheckpointTensor* Checkpoint::find(std::string_view tensor_name) const {
  const auto found = index_.find(tensor_name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const CheckpointTensor& Checkpoint::require(std::string_view tensor_name, std::int64_t rows,
                                            std::int64_t cols,
                                            std::string_view expected_from) const {
  const CheckpointTensor* tensor = find(tensor_name);
  if (tensor == nullptr) {
    throw LoadError(name_, fmt::format("tensor '{}' is missing", tensor_name));
  }
  const bool rank_fits = tensor->shape.size() == 2 || (rows == 1 && tensor->shape.size() == 1);
  if (rank_fits && tensor->rows() == rows && tensor->cols() == cols) {
    refuse_other_than_weights(*tensor);
    return *tensor;
  }
  const std::string expected =
      rows == 1 ? fmt::format("[{}]", cols) : fmt::format("[{}, {}]", rows, cols);
  throw LoadError(tensor->file,
                  fmt::format("tensor '{}' at byte {}: shape is [{}], expected {}{}{}", tensor_name,
                              tensor->offset, fmt::join(tensor->shape, ", "), expected,
                              expected_from.empty() ? "" : " = ", expected_from));
}

void Checkpoint::set_config(ModelConfig config, std::string text) {
  config_ = std::move(config);
  config_text_ = std::move(text);
}

void Checkpoint::set_tensors(std::vector<CheckpointTensor> tensors) {
  tensors_ = std::move(tensors);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const auto [found, is_new] = index_.emplace(tensors_[i].name, i);
    if (is_new) continue;
    throw LoadError(tensors_[i].file,
                    fmt::format("tensor '{}' is also in {}, expected it once",
                                excerpt(tensors_[i].name, 200), tensors_[found->second].file));
  }
}

void refuse_other_than_weights(const CheckpointTensor& tensor) {
  // An F8_E4M3 tensor without scales was refused when the checkpoint was opened.
  if (can_decode(tensor.type) || tensor.type == TensorType::kF8E4m3) return;
  throw LoadError(tensor.file, fmt::format("tensor '{}' at byte {} is {}, expected F32, F16, BF16 "
                                           "or F8_E4M3",
                                           tensor.name, tensor.offset, formats::name(tensor.type)));
}

void refuse_non_finite(const CheckpointTensor& tensor, std::int64_t row_begin,
                       std::span<const float> values) {
  const std::size_t at = quant::first_non_finite(values);
  if (at == values.size()) return;
  const auto cols = static_cast<std::size_t>(tensor.cols());
  throw LoadError(tensor.file,
                  fmt::format("tensor '{}' at byte {}: value {} in row {}, column {}, expected "
                              "finite weights",
                              tensor.name, tensor.offset, values[at],
                              row_begin + static_cast<std::int64_t>(at / cols), at % cols));
}

}  // namespace leyden::formats
