#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace leyden::tools {

/// "0,5,9". Errors: CLI::ValidationError.
std::vector<std::int32_t> parse_token_list(const std::string& text);

/// A JSON file with {"tokens": [...]} or a bare list. Errors: LoadError.
std::vector<std::int32_t> read_token_file(const std::string& file);

/// Errors: LoadError "ORIGIN: token N is outside the vocabulary of V" for the first such id.
void require_in_vocabulary(std::span<const std::int32_t> tokens, std::int32_t vocab_size,
                           const std::string& origin);

}  // namespace leyden::tools
