#include "formats/gguf_tokenizer.h"

#include <fmt/format.h>

#include <vector>

#include "formats/json_text.h"
#include "formats/tokenizer_file.h"

namespace leyden::formats {
namespace {

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";

}  // namespace

void check_gguf_tokenizer(const GgufKeys& keys, std::int64_t vocab_size) {
  if (!keys.has(kTokens)) return;
  const std::uint64_t n_tokens = keys.length(kTokens, GgufKind::kString);
  if (n_tokens > static_cast<std::uint64_t>(vocab_size)) {
    keys.refuse(kTokens,
                fmt::format("has {} tokens, expected at most vocab_size {}", n_tokens, vocab_size));
  }
  if (const std::uint64_t n_types = keys.length(kTypes, GgufKind::kI32); n_types != n_tokens) {
    keys.refuse(kTypes, fmt::format("has {} elements, expected one for each of {} tokens", n_types,
                                    n_tokens));
  }
  keys.length(kMerges, GgufKind::kString);
}

std::optional<std::string> gguf_tokenizer_json(const GgufKeys& keys) {
  if (!keys.has(kTokens)) return std::nullopt;
  if (const std::string model = keys.string("tokenizer.ggml.model"); model != "gpt2") {
    keys.refuse("tokenizer.ggml.model",
                fmt::format("is '{}', expected 'gpt2'", excerpt(model, 40)));
  }
  const std::vector<std::string> tokens = keys.strings(kTokens);
  const std::vector<std::int32_t> types = keys.integers(kTypes);
  const std::vector<std::string> merges = keys.strings(kMerges);
  const TokenizerLists lists{tokens, types, merges, keys.string("tokenizer.ggml.pre")};
  return tokenizer_json(tokenizer_from_lists(lists, keys.file_name()));
}

std::optional<std::string> gguf_tokenizer_config_json(const GgufKeys& keys) {
  constexpr const char* kTemplate = "tokenizer.chat_template";
  if (!keys.has(kTemplate)) return std::nullopt;
  return fmt::format("{{\"chat_template\": {}}}", json_quote(keys.string(kTemplate)));
}

}  // namespace leyden::formats
