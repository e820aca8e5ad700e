#pragma once

#include <filesystem>
#include <memory>

#include "formats/checkpoint.h"

namespace leyden::formats {

/// Opens a GGUF model of architecture deepseek2 or deepseek32, in one file or in parts, as a
/// checkpoint: tensors under Hugging Face's names and in its row order, experts one by one,
/// kv_b_proj in one piece, config.json and tokenizer.json made from the keys. Tensors that have no
/// Hugging Face name keep their own.
/// Errors: LoadError naming file, key or tensor, found and expected.
std::unique_ptr<Checkpoint> open_gguf_checkpoint(const std::filesystem::path& path);

}  // namespace leyden::formats
