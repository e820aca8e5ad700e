#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "formats/indexed_file.h"

namespace leyden::fuzz {

/// Puts a header in front of an indexed file that suits it, checksums and all: without, nothing
/// that is broken inside gets past them. The file has room for the header; index_offset is inside
/// it.
inline void seal(const formats::FileKind& kind, std::string& file, std::uint64_t index_offset) {
  formats::FileHeader header;
  header.version = kind.version;
  header.file_bytes = file.size();
  header.index_offset = index_offset;
  header.index_bytes = file.size() - index_offset;
  header.index_checksum = formats::checksum(std::string_view(file).substr(index_offset));
  const auto bytes = formats::encode_header(kind, header);
  std::memcpy(file.data(), bytes.data(), bytes.size());
}

}  // namespace leyden::fuzz
