#pragma once

#include <filesystem>
#include <vector>

#include "formats/input_file.h"
#include "formats/safetensors.h"

namespace leyden::formats {

/// One safetensors file of a checkpoint.
struct HfShard {
  InputFile file;
  std::vector<SafetensorsEntry> entries;  // by offset
};

/// Opens the weight files of a Hugging Face directory: those that model.safetensors.index.json
/// names, or else model.safetensors, or else the only *.safetensors file.
/// Errors: LoadError if there is none, a shard is missing, the index names a file outside the
///         directory, or index and shards disagree about any tensor.
std::vector<HfShard> open_hf_shards(const std::filesystem::path& directory);

}  // namespace leyden::formats
