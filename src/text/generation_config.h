#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/text/sampler_options.h"
#include "src/text/token.h"

namespace leyden::text {

/// What a checkpoint's makers recommend, from its generation_config.json.
struct GenerationConfig {
  SamplerOptions sampling;           // "do_sample": false is a temperature of 0
  std::vector<TokenId> stop_tokens;  // eos_token_id, one or several; may be empty
};

/// Errors: formats::LoadError naming a field of the wrong type or without meaning.
GenerationConfig parse_generation_config(std::string_view text, const std::string& origin);

}  // namespace leyden::text
