#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leyden::tools {

/// "0,5,9". Errors: CLI::ValidationError.
std::vector<std::int32_t> parse_token_list(const std::string& text);

/// A JSON file with {"tokens": [...]} or a bare list. Errors: LoadError.
std::vector<std::int32_t> read_token_file(const std::string& file);

}  // namespace leyden::tools
