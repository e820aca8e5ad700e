#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/input_file.h"
#include "formats/tensor_type.h"

namespace leyden::formats {

/// One tensor of a safetensors file.
struct SafetensorsEntry {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  // slowest dimension first; empty for a scalar
  std::uint64_t offset = 0;         // from the start of the file
  std::uint64_t bytes = 0;
};

/// Reads and checks the header of a safetensors file: u64 length, that many bytes of JSON, data.
/// After this every entry lies inside the file, has as many bytes as its shape and type say, and
/// together they fill the data without gap or overlap, as the format demands.
/// Order:  by offset.
/// Errors: LoadError naming the file and, where there is one, the tensor.
std::vector<SafetensorsEntry> read_safetensors_header(const InputFile& file);

/// The same for the JSON text alone. `data_begin` is where the data start in the file (the offsets
/// of the header count from there) and `file_bytes` where it ends.
std::vector<SafetensorsEntry> parse_safetensors_header(std::string_view json,
                                                       std::uint64_t data_begin,
                                                       std::uint64_t file_bytes,
                                                       const std::string& file_name);

}  // namespace leyden::formats
