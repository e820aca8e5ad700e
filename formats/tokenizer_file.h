#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "formats/tokenizer_spec.h"

namespace leyden::formats {

/// Reads a tokenizer.json of Hugging Face's tokenizers library, as DeepSeek-V2 to V3.2 and our demo
/// model have it: byte-level BPE without normalizer, pre-tokenized by isolating splits.
/// Errors: LoadError for broken or contradictory files, and for any setting under which another
///         tokenizer than this one would be meant (a normalizer, dropout, prefixes, ...).
TokenizerSpec parse_tokenizer_json(std::string_view text, const std::string& origin);
TokenizerSpec read_tokenizer_file(const std::filesystem::path& path);

/// A tokenizer.json from which parse_tokenizer_json() makes `spec` again; how a tokenizer that came
/// as lists goes into a container.
std::string tokenizer_json(const TokenizerSpec& spec);

/// The tokenizer as a GGUF file has it (`tokenizer.ggml.*`).
struct TokenizerLists {
  std::span<const std::string> tokens;  // by id, byte alphabet; added tokens as plain text
  std::span<const std::int32_t> types;  // by id: 1 normal, 3 control, 4 user-defined, 5 unused
  std::span<const std::string> merges;  // "left right", best first
  std::string pre_tokenizer;            // "deepseek-v3", "deepseek-llm" or "deepseek-coder"
};

/// Control tokens become special added tokens, user-defined ones plain added tokens, unused holes.
TokenizerSpec tokenizer_from_lists(const TokenizerLists& lists, const std::string& origin);

}  // namespace leyden::formats
