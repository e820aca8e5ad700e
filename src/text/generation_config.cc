#include "src/text/generation_config.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/load_error.h"

namespace leyden::text {
namespace {

using formats::JsonField;

constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();

std::vector<TokenId> stop_tokens_of(const JsonField& root) {
  const auto field = root.find("eos_token_id");
  if (!field) return {};
  if (!field->value().is_array()) return {static_cast<TokenId>(field->as_integer(0, kLargest))};
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < field->size(); ++i) {
    tokens.push_back(static_cast<TokenId>(field->element(i).as_integer(0, kLargest)));
  }
  return tokens;
}

}  // namespace

GenerationConfig parse_generation_config(std::string_view text, const std::string& origin) {
  const formats::Json document = formats::parse_json(text, origin);
  const JsonField root(document, origin);
  GenerationConfig config;
  SamplerOptions& sampling = config.sampling;
  const auto number = [&](const char* key, float& option) {
    option = static_cast<float>(root.number_or(key, option));
  };
  number("temperature", sampling.temperature);
  number("top_p", sampling.top_p);
  number("min_p", sampling.min_p);
  number("typical_p", sampling.typical_p);
  number("repetition_penalty", sampling.repeat_penalty);
  sampling.top_k = static_cast<std::int32_t>(root.integer_or("top_k", 0, 0, kLargest));
  if (!root.boolean_or("do_sample", true)) sampling.temperature = 0;
  config.stop_tokens = stop_tokens_of(root);
  try {
    check(sampling);
  } catch (const std::invalid_argument& error) {
    throw formats::LoadError(origin, error.what());
  }
  return config;
}

}  // namespace leyden::text
