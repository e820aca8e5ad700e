#include "tools/token_list.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>

#include "formats/json.h"
#include "formats/load_error.h"

namespace leyden::tools {

std::vector<std::int32_t> parse_token_list(const std::string& text) {
  std::vector<std::int32_t> tokens;
  for (const char* at = text.data(); true;) {
    std::int32_t token = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(at, end, token);
    if (failure != std::errc() || (stopped != end && *stopped != ',')) {
      throw CLI::ValidationError("--tokens", "'" + text + "' is not a list of ids like 0,5,9");
    }
    tokens.push_back(token);
    if (stopped == end) return tokens;
    at = stopped + 1;
  }
}

std::vector<std::int32_t> read_token_file(const std::string& file) {
  const formats::Json document = formats::read_json_file(file);
  const formats::Json* list = &document;
  if (document.is_object()) {
    const auto found = document.find("tokens");
    if (found == document.end()) throw formats::LoadError(file, "field 'tokens' is missing");
    list = &*found;
  }
  if (!list->is_array() || list->empty()) {
    throw formats::LoadError(file, "expected a list of token ids that isn't empty");
  }
  std::vector<std::int32_t> tokens;
  tokens.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    const formats::Json& value = (*list)[i];
    if (!value.is_number_integer() || value < 0 ||
        value > std::numeric_limits<std::int32_t>::max()) {
      throw formats::LoadError(file, "entry " + std::to_string(i) + " of the token list is " +
                                         value.dump() + ", expected a token id");
    }
    tokens.push_back(value.get<std::int32_t>());
  }
  return tokens;
}

void require_in_vocabulary(std::span<const std::int32_t> tokens, std::int32_t vocab_size,
                           const std::string& origin) {
  for (const std::int32_t token : tokens) {
    if (token >= 0 && token < vocab_size) continue;
    throw formats::LoadError(origin, "token " + std::to_string(token) +
                                         " is outside the vocabulary of " +
                                         std::to_string(vocab_size));
  }
}

}  // namespace leyden::tools
