#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checksum.h"
#include "quant/tensor_spec.h"

namespace leyden::formats {

/// The leyden container, byte by byte (little-endian):
///
///     0   8  magic  89 'L' 'E' 'Y' 'D' 'E' 'N' 0a
///     8   4  u32    version, 1
///    12   4  u32    flags, 0
///    16   8  u64    bytes of the file
///    24   8  u64    offset of the index
///    32   8  u64    bytes of the index
///    40  16         XXH3-128 of the index, big-endian
///    56   8         first half of the XXH3-128 of bytes 0 to 55, big-endian
///    64             blobs (config.json, tokenizer.json, ...), then tensors below 2 MiB, each at a
///                   multiple of 64
///                   tensors of 2 MiB and more, each at a multiple of 2 MiB, so that it can lie in
///                   huge pages and be read past the page cache
///                   the index, JSON, at a multiple of 64, up to the end of the file
///
/// Bytes between the parts are zero and mean nothing.
constexpr std::array<char, 8> kContainerMagic{'\x89', 'L', 'E', 'Y', 'D', 'E', 'N', '\n'};
constexpr std::uint32_t kContainerVersion = 1;
constexpr std::uint64_t kContainerHeaderBytes = 64;
constexpr std::uint64_t kSmallAlignment = 64;
constexpr std::uint64_t kLargeAlignment = std::uint64_t{2} << 20;

struct ContainerHeader {
  std::uint32_t version = kContainerVersion;
  std::uint32_t flags = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t index_offset = 0;
  std::uint64_t index_bytes = 0;
  Checksum index_checksum;
};

using ContainerHeaderBytes = std::array<std::byte, kContainerHeaderBytes>;

ContainerHeaderBytes encode_header(const ContainerHeader& header);

/// Errors: LoadError naming `file` if this is no container, one of a newer version, or damaged.
ContainerHeader decode_header(const ContainerHeaderBytes& bytes, const std::string& file);

/// A small file kept inside the container.
struct StoredBlob {
  std::string name;  // "config.json"
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  Checksum checksum;  // XXH3-128
};

/// A tensor's place in the container.
struct StoredTensor {
  quant::TensorSpec spec;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // == spec.bytes()
  Checksum checksum;        // ChunkedChecksum
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
std::string to_json(const ContainerIndex& index);

/// Reads it back and checks everything: known formats and layouts, bytes as the shape demands,
/// alignment, everything between header and `index_offset` without overlap, no name twice, and the
/// fingerprint. Errors: LoadError naming `file`, the entry, found and expected.
ContainerIndex parse_container_index(std::string_view json, std::uint64_t index_offset,
                                     const std::string& file);

}  // namespace leyden::formats
