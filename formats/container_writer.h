#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/container_index.h"
#include "formats/output_file.h"

namespace leyden::formats {

/// A small file to be kept in a container.
struct Blob {
  std::string name;
  std::string bytes;
};

/// Writes a leyden container. All tensors are named beforehand, so every byte has its place from
/// the start, and pieces of any tensor may be written in any order from any thread.
/// The file appears under its name only when finish() succeeds; otherwise nothing is left behind.
class ContainerWriter {
 public:
  /// Errors: WriteError as OutputFile's; what TensorSpec::bytes() throws for shapes that can't be
  ///         packed.
  ContainerWriter(const std::filesystem::path& path, std::string recipe,
                  const std::vector<Blob>& blobs, const std::vector<quant::TensorSpec>& tensors);

  /// The layout decided on. Checksums of tensors become valid in finish().
  const ContainerIndex& index() const { return index_; }

  /// Writes `bytes` at `offset` within tensor number `tensor` of the list given. Every byte of a
  /// tensor is written exactly once.
  /// Errors: WriteError; std::logic_error for a piece outside the tensor or written twice.
  void write(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes);

  /// Writes index and header, syncs and names the file. To be called once, by one thread, when all
  /// pieces are written. Gives the container's fingerprint.
  /// Errors: WriteError; std::logic_error naming a tensor with missing bytes.
  std::string finish();

 private:
  /// What is known of a tensor's chunks of 1 MiB while pieces arrive.
  struct Progress {
    explicit Progress(std::uint64_t bytes);
    ChunkedChecksum checksum;
    std::unique_ptr<std::atomic<std::int64_t>[]> missing;  // bytes, per chunk
  };

  void record(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes);

  ContainerIndex index_;
  std::uint64_t index_offset_ = 0;
  std::vector<Progress> progress_;  // parallel to index_.tensors
  std::optional<OutputFile> file_;
};

}  // namespace leyden::formats
