#pragma once

#include <filesystem>

#include "src/text/tokenizer.h"

namespace leyden::tools {

/// The tokenizer of a model (container, checkpoint directory, GGUF file), without its weights.
/// Errors: LoadError.
text::Tokenizer load_model_tokenizer(const std::filesystem::path& model);

}  // namespace leyden::tools
