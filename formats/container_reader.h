#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/container_index.h"
#include "formats/input_file.h"
#include "formats/mapped_file.h"
#include "formats/model_config.h"

namespace leyden::formats {

/// Whether the file begins with a container's magic. False for files that can't be read.
bool is_container(const std::filesystem::path& path);

/// A leyden container, open for reading. Immutable; any number of threads may read at once.
class ContainerReader {
 public:
  /// Checks header and index completely (container_index.h); the contents of blobs and tensors are
  /// for blob() and verify(). Errors: LoadError naming file, entry, found and expected.
  explicit ContainerReader(const std::filesystem::path& path);

  const std::string& name() const { return file_.name(); }
  std::uint64_t file_bytes() const { return file_.size(); }
  const std::string& recipe() const { return index_.recipe; }
  /// Identifies model and recipe (32 hexadecimal digits).
  const std::string& fingerprint() const { return fingerprint_; }
  const ModelConfig& config() const { return config_; }

  /// The small files it holds: config.json and its companions.
  std::span<const StoredBlob> blobs() const { return index_.blobs; }
  /// The bytes of a blob, or nothing if there is none of that name.
  /// Errors: LoadError if they don't fit their checksum.
  std::optional<std::string> blob(std::string_view blob_name) const;

  /// What inference reads.
  std::span<const StoredTensor> tensors() const {
    return std::span(index_.tensors).first(n_model_tensors_);
  }
  /// The same and then what is only kept: the multi-token-prediction layers.
  std::span<const StoredTensor> all_tensors() const { return index_.tensors; }
  /// The tensor of that name among all, or null.
  const StoredTensor* find(std::string_view tensor_name) const;

  /// Reads part of a tensor: `to` is filled from byte `offset` of the tensor on.
  /// Errors: LoadError if the file can't be read or the part isn't inside the tensor.
  void read(const StoredTensor& tensor, std::uint64_t offset, std::span<std::byte> to) const;

  /// Reads a tensor and compares its checksum. Errors: LoadError naming the tensor.
  void verify(const StoredTensor& tensor) const;

  /// The file without a copy; tensors lie at their offsets. Errors: LoadError for a compressed one.
  MappedFile map() const;

 private:
  /// Sees that layers behind those of the config are there to predict further tokens: a model that
  /// lost its last layers would load, and talk nonsense (as src/model/layer_check.h of originals).
  void check_mtp_layers() const;
  void read_frames(const StoredTensor& tensor, std::uint64_t offset, std::span<std::byte> to) const;

  InputFile file_;
  ContainerIndex index_;
  std::string fingerprint_;
  ModelConfig config_;
  std::size_t n_model_tensors_ = 0;
  std::map<std::string_view, std::size_t> by_name_;  // names live in index_
};

}  // namespace leyden::formats
