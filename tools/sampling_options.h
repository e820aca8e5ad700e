#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/text/sampler_options.h"

namespace leyden::tools {

/// How the next token is chosen, as far as the command line says so.
struct SamplingOptions {
  std::optional<float> temperature, top_p, min_p, typical_p, repeat_penalty, frequency_penalty,
      presence_penalty;
  std::optional<std::int32_t> top_k;
  std::optional<std::uint64_t> seed;  // default: a random one
  bool greedy = false;
  std::vector<std::string> stops;
  std::vector<std::string> logit_bias;  // "ID=VALUE"
};

void add_sampling_options(CLI::App& command, SamplingOptions& options);

/// The model's recommendation with what the command line says put over it.
/// Errors: CLI::ValidationError.
text::SamplerOptions apply(const SamplingOptions& options, text::SamplerOptions recommended);

/// "ID=VALUE", given as `name`. Errors: CLI::ValidationError.
std::pair<text::TokenId, float> parse_logit_bias(const std::string& text,
                                                 const std::string& name = "--logit-bias");

/// Whether a model with so many tokens has those of `biases` ("ID=VALUE").
/// Errors: LoadError "--logit-bias: ..." for the first that it lacks.
void require_in_vocabulary(const std::vector<std::string>& biases, std::int32_t vocab_size);

}  // namespace leyden::tools
