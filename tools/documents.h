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

/// A text file as documents of at most n_tokens tokens, each with the model's begin token before
/// it; a .json file as above. Errors: LoadError, also for text that isn't UTF-8 and when the model
/// has no tokenizer.
Documents read_text(const Engine& engine, const std::string& file, int n_tokens);

}  // namespace leyden::tools
