#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace leyden::fixtures {

/// The bytes of a safetensors file with this header and `data_bytes` bytes of data 0, 1, 2, ...
inline std::string safetensors_text(std::string_view header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  file += header;
  for (std::size_t i = 0; i < data_bytes; ++i) file += static_cast<char>(i);
  return file;
}

}  // namespace leyden::fixtures
