#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "formats/gguf_keys.h"

namespace leyden::formats {

/// Checks the sizes of the tokenizer lists against each other and the vocabulary, without reading
/// their contents. Files without a tokenizer pass.
/// Errors: LoadError naming the key.
void check_gguf_tokenizer(const GgufKeys& keys, std::int64_t vocab_size);

/// The tokenizer of a GGUF file as a tokenizer.json, or nothing if it has none.
/// Errors: LoadError naming the key and the entry.
std::optional<std::string> gguf_tokenizer_json(const GgufKeys& keys);

/// A tokenizer_config.json with the chat template, or nothing if the file has none.
std::optional<std::string> gguf_tokenizer_config_json(const GgufKeys& keys);

}  // namespace leyden::formats
