#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checksum.h"
#include "formats/indexed_file.h"
#include "quant/tensor_spec.h"

namespace leyden::formats {

/// The leyden container: an indexed file (indexed_file.h) whose contents are
///
///    64             blobs (config.json, tokenizer.json, ...), then tensors below 2 MiB, each at a
///                   multiple of 64
///                   tensors of 2 MiB and more, each at a multiple of 2 MiB, so that it can lie in
///                   huge pages and be read past the page cache
///                   the index at a multiple of 64
///
/// Bytes between the parts are zero and mean nothing.
constexpr FileKind kContainer{{'\x89', 'L', 'E', 'Y', 'D', 'E', 'N', '\n'}, 1, "leyden container"};
constexpr std::uint64_t kSmallAlignment = 64;
constexpr std::uint64_t kLargeAlignment = std::uint64_t{2} << 20;

/// A small file kept inside the container.
struct StoredBlob {
  std::string name;  // "config.json"
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  Checksum checksum;  // XXH3-128
};

/// A part of a compressed tensor: a zstd frame of its own.
struct StoredFrame {
  std::uint64_t bytes = 0;         // of the tensor, at most kMaxFrameBytes
  std::uint64_t offset = 0;        // of the frame in the file
  std::uint64_t stored_bytes = 0;  // of the frame

  bool operator==(const StoredFrame&) const = default;
};
constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{256} << 20;

/// A tensor's place in the container.
struct StoredTensor {
  quant::TensorSpec spec;
  std::uint64_t offset = 0;         // 0 if it is compressed
  std::uint64_t bytes = 0;          // == spec.bytes()
  Checksum checksum;                // ChunkedChecksum of these bytes
  std::vector<StoredFrame> frames;  // of a compressed tensor: its bytes from front to back

  /// Bytes in the file.
  std::uint64_t stored_bytes() const;
};

struct ContainerIndex {
  std::string recipe;  // which tensors got which format: "int4", ...
  std::vector<StoredBlob> blobs;
  std::vector<StoredTensor> tensors;
};

/// Where something of that size has to start: at a multiple of this.
constexpr std::uint64_t alignment_of(std::uint64_t bytes) {
  return bytes >= kLargeAlignment ? kLargeAlignment : kSmallAlignment;
}

/// Identifies model and recipe: a hash of recipe, config.json, and every tensor's name, format,
/// layout, shape and contents. The order of tensors and where they lie don't matter.
std::string fingerprint(const ContainerIndex& index);

/// The index as JSON: {"recipe", "fingerprint", "blobs": [{"name", "offset", "bytes", "xxh3"}],
/// "tensors": [{"name", "format", "layout", "count", "rows", "cols", "offset", "bytes", "xxh3"}]}.
/// A compressed tensor has, instead of "offset", "zstd": [[bytes, offset, stored bytes], ...].
std::string to_json(const ContainerIndex& index);

/// Reads it back and checks everything: known formats and layouts, bytes as the shape demands,
/// alignment, everything between header and `index_offset` without overlap, no name twice, and the
/// fingerprint. Errors: LoadError naming `file`, the entry, found and expected.
ContainerIndex parse_container_index(std::string_view json, std::uint64_t index_offset,
                                     const std::string& file);

}  // namespace leyden::formats
