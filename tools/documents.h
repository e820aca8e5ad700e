#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json_field.h"
#include "src/engine.h"
#include "src/evaluate.h"

namespace leyden::tools {

/// A JSON list of token ids. Errors: LoadError for anything else.
std::vector<std::int32_t> tokens_of(const formats::JsonField& list);

/// Token ids from JSON: {"documents": [[...], ...]}, {"tokens": [...]} or a bare list of ids.
/// Errors: LoadError naming file, field, found and expected.
Documents read_documents(const std::string& file);

/// A text as documents of at most n_tokens tokens, each with the model's begin token before it.
/// Errors: as Engine::tokenizer()'s when the model has none.
Documents cut_text(const Engine& engine, const std::string& text, int n_tokens);

/// A file's text. Errors: LoadError, also if it isn't UTF-8.
std::string read_utf8_file(const std::string& file);

}  // namespace leyden::tools
