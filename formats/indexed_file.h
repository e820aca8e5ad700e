#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/checksum.h"
#include "formats/input_file.h"
#include "formats/output_file.h"

namespace leyden::formats {

/// Leyden's own binary files: a header, contents, and an index in JSON that says what they are
/// (little-endian):
///
///     0   8  magic of the kind of file
///     8   4  u32    version
///    12   4  u32    flags, 0
///    16   8  u64    bytes of the file
///    24   8  u64    offset of the index
///    32   8  u64    bytes of the index
///    40  16         XXH3-128 of the index, big-endian
///    56   8         first half of the XXH3-128 of bytes 0 to 55, big-endian
///    64             contents
///                   the index, up to the end of the file
struct FileKind {
  std::array<char, 8> magic;
  std::uint32_t version;
  const char* name;  // "leyden container"
};

struct FileHeader {
  std::uint32_t version = 0;  // of the kind
  std::uint32_t flags = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t index_offset = 0;
  std::uint64_t index_bytes = 0;
  Checksum index_checksum;
};

constexpr std::uint64_t kFileHeaderBytes = 64;
using FileHeaderBytes = std::array<std::byte, kFileHeaderBytes>;

FileHeaderBytes encode_header(const FileKind& kind, const FileHeader& header);

/// Errors: LoadError naming `file` if it is of another kind, of a newer version, or damaged.
FileHeader decode_header(const FileKind& kind, const FileHeaderBytes& bytes,
                         const std::string& file);

struct FileIndex {
  std::string json;
  std::uint64_t offset = 0;  // where the contents end
};

/// Reads header and index. Errors: as decode_header; LoadError for a file that is cut off or too
/// long, and for an index that is outside the file, unreasonably long, or damaged.
FileIndex read_index(const FileKind& kind, const InputFile& file);

/// Writes index and header; with them the file is complete, and may be committed.
/// Errors: WriteError.
void write_index(const FileKind& kind, OutputFile& file, std::uint64_t offset,
                 std::string_view json);

/// Whether a file begins with the kind's magic. False for files that can't be read.
bool is_of_kind(const FileKind& kind, const std::filesystem::path& path);

}  // namespace leyden::formats
