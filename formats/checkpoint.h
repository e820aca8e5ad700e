#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_config.h"
#include "formats/tensor_type.h"

namespace leyden::formats {

/// One tensor of a checkpoint, under its Hugging Face name whatever the files call it.
struct CheckpointTensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  // slowest dimension first
  std::string file;                 // as errors name it
  std::uint64_t offset = 0;         // in that file
  std::uint64_t bytes = 0;          // in that file, FP8 scales not included
  bool stored_by_rows = true;       // read_rows_raw() can be had

  /// As a matrix: a vector is one row, leading dimensions count as rows.
  std::int64_t rows() const;
  std::int64_t cols() const;
};

/// The one door to original weights: a Hugging Face directory with safetensors, or a GGUF file,
/// which presents itself under Hugging Face's names, shapes and row orders.
/// Immutable once open; any number of threads may read at once.
class Checkpoint {
 public:
  /// Opens `path` and checks what it says about itself: every offset and size, that shards and
  /// index agree, that FP8 tensors have scales of the right shape. Reads no weights.
  /// Whether the tensors suit the config is for the caller to ask (require()).
  /// Errors: LoadError naming file, tensor, found and expected.
  static std::unique_ptr<Checkpoint> open(const std::filesystem::path& path);

  virtual ~Checkpoint() = default;
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  /// The path it was opened with.
  const std::string& name() const { return name_; }
  const ModelConfig& config() const { return config_; }
  /// config.json, as the directory has it or as GGUF's keys translate to it.
  const std::string& config_text() const { return config_text_; }

  /// The text of "tokenizer.json", "generation_config.json" or "tokenizer_config.json", if the
  /// checkpoint has it. Errors: LoadError if the file is there but can't be read.
  virtual std::optional<std::string> companion(std::string_view file_name) const = 0;

  /// Every file it was or will be read from, and perhaps some that aren't there.
  virtual std::vector<std::filesystem::path> files() const = 0;

  /// Every tensor, in the order they lie in the files. FP8 scales are part of their weights.
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }
  /// The tensor of that name, or null.
  const CheckpointTensor* find(std::string_view tensor_name) const;
  /// The tensor of that name, which must be a matrix [rows, cols], or a vector [cols] if rows is 1,
  /// of a type that stands for weights.
  /// Errors: LoadError naming the tensor, its shape and `expected_from` ("[kv_lora_rank, ...]"), or
  /// its type.
  const CheckpointTensor& require(std::string_view tensor_name, std::int64_t rows,
                                  std::int64_t cols, std::string_view expected_from = "") const;

  /// Rows [row_begin, row_end) as float32, exactly as the format defines them (NUMERICS 7.2).
  /// `to` holds (row_end - row_begin) * cols values. `tensor` is one of tensors().
  /// Errors: LoadError if the file can't be read, shrank, or the type holds no weights.
  virtual void read_rows_f32(const CheckpointTensor& tensor, std::int64_t row_begin,
                             std::int64_t row_end, float* to) const = 0;

  /// The stored bytes of those rows, for types that are repacked without decoding. `to` is as long.
  /// Errors: as read_rows_f32; LoadError if the rows aren't stored one after the other.
  virtual void read_rows_raw(const CheckpointTensor& tensor, std::int64_t row_begin,
                             std::int64_t row_end, std::span<std::byte> to) const = 0;

 protected:
  explicit Checkpoint(std::string name) : name_(std::move(name)) {}

  void set_config(ModelConfig config, std::string text);
  /// Errors: LoadError for a name that comes twice.
  void set_tensors(std::vector<CheckpointTensor> tensors);

 private:
  std::string name_;
  ModelConfig config_;
  std::string config_text_;
  std::vector<CheckpointTensor> tensors_;
  std::map<std::string_view, std::size_t> index_;  // names live in tensors_
};

/// Refuses a type that stands for no weights: integers, F64, F8_E5M2.
/// Errors: LoadError naming tensor and type.
void refuse_other_than_weights(const CheckpointTensor& tensor);

/// Refuses values that are NaN or infinite: rows from `row_begin` on of `tensor`.
/// Errors: LoadError naming tensor, row and column of the first one.
void refuse_non_finite(const CheckpointTensor& tensor, std::int64_t row_begin,
                       std::span<const float> values);

}  // namespace leyden::formats
