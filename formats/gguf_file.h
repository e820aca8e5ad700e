#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "formats/gguf_keys.h"
#include "formats/input_file.h"
#include "formats/tensor_type.h"

namespace leyden::formats {

/// One tensor of a GGUF file.
struct GgufTensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  // slowest dimension first, unlike in the file
  std::uint64_t offset = 0;         // from the start of the file
  std::uint64_t bytes = 0;
};

/// Whether the file begins with GGUF's magic. False for files that can't be read.
bool is_gguf(const std::filesystem::path& path);

/// A GGUF file, version 2 or 3: its keys and its tensors. One part of a split model is one file.
/// After construction every tensor lies inside the file, aligned, overlapping no other, with whole
/// blocks in every row and as many bytes as its shape says.
class GgufFile {
 public:
  /// Errors: LoadError naming file, key or tensor, and byte.
  explicit GgufFile(const std::filesystem::path& path);

  const InputFile& file() const { return *file_; }
  const std::string& name() const { return file_->name(); }
  const GgufKeys& keys() const { return *keys_; }
  /// In the order of the file's list.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

 private:
  void read_tensors(GgufCursor& cursor, std::uint64_t count);
  void place_tensors(std::uint64_t list_end);

  // On the heap, because the keys refer to the file and both move with this.
  std::unique_ptr<InputFile> file_;
  std::unique_ptr<GgufKeys> keys_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace leyden::formats
