#pragma once

#include <filesystem>
#include <memory>

#include "formats/checkpoint.h"

namespace leyden::formats {

/// Opens a Hugging Face directory: config.json and model.safetensors, or the shards that
/// model.safetensors.index.json names. Every shard must hold exactly the tensors the index gives
/// it. Reads F32, F16, BF16, and F8_E4M3 with a companion NAME_scale_inv of one factor per 128 x
/// 128 block (NUMERICS 7.2). Errors: LoadError naming file, tensor, found and expected.
std::unique_ptr<Checkpoint> open_hf_checkpoint(const std::filesystem::path& directory);

}  // namespace leyden::formats
