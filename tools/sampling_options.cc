#include "tools/sampling_options.h"

#include <charconv>
#include <random>
#include <stdexcept>

#include "tools/token_list.h"

namespace leyden::tools {
namespace {

/// CLI11's own reading makes of -1, and of what doesn't fit, the largest number.
std::uint64_t parse_seed(const std::string& text) {
  const char* const end = text.data() + text.size();
  std::uint64_t seed = 0;
  const auto [stopped, failure] = std::from_chars(text.data(), end, seed);
  if (failure == std::errc() && stopped == end) return seed;
  throw CLI::ValidationError("--seed", "'" + text + "' is not a whole number from 0 to 2^64 - 1");
}

}  // namespace

std::pair<text::TokenId, float> parse_logit_bias(const std::string& text, const std::string& name) {
  const char* const end = text.data() + text.size();
  text::TokenId token = 0;
  const auto id = std::from_chars(text.data(), end, token);
  float value = 0;
  if (id.ec == std::errc() && id.ptr != end && *id.ptr == '=') {
    const auto bias = std::from_chars(id.ptr + 1, end, value);
    if (bias.ec == std::errc() && bias.ptr == end) return {token, value};
  }
  throw CLI::ValidationError(name, "'" + text + "' is not of the form ID=VALUE");
}

void require_in_vocabulary(const std::vector<std::string>& biases, std::int32_t vocab_size) {
  for (const std::string& bias : biases) {
    const text::TokenId token = parse_logit_bias(bias).first;
    require_in_vocabulary({&token, 1}, vocab_size, "--logit-bias");
  }
}

void add_sampling_options(CLI::App& command, SamplingOptions& options) {
  constexpr const char* kGroup = "Sampling (default: the model's recommendation)";
  const auto add = [&](const std::string& flag, auto& value, const std::string& help) {
    return command.add_option(flag, value, help)->group(kGroup);
  };
  add("--temp", options.temperature, "Temperature; 0 always takes the best token");
  add("--top-k", options.top_k, "Keep the K most probable tokens; 0: all");
  add("--top-p", options.top_p, "Keep the fewest that have this probability together");
  add("--min-p", options.min_p, "Keep those with this share of the best one's probability");
  add("--typical", options.typical_p, "Keep the most typical with this probability together");
  add("--repeat-penalty", options.repeat_penalty, "Penalty on tokens that occurred; 1: none");
  add("--frequency-penalty", options.frequency_penalty, "Subtracted per occurrence");
  add("--presence-penalty", options.presence_penalty, "Subtracted once for what occurred");
  command
      .add_option_function<std::string>(
          "--seed", [&options](const std::string& text) { options.seed = parse_seed(text); },
          "Same seed, same text (default: random)")
      ->type_name("UINT")
      ->group(kGroup);
  const auto add_list = [&](const std::string& flag, auto& values, const std::string& help) {
    // Otherwise CLI11 takes the words behind one for more of it, and "[a,b]" for two.
    add(flag, values, help)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  add_list("--logit-bias", options.logit_bias, "ID=VALUE, added to a token's logit; repeatable");
  add_list("--stop", options.stops, "End the answer at this text; repeatable");
  command.add_flag("--greedy", options.greedy, "Always take the best token")->group(kGroup);
}

text::SamplerOptions apply(const SamplingOptions& options, text::SamplerOptions recommended) {
  text::SamplerOptions sampling = std::move(recommended);
  const auto put = [](const auto& given, auto& value) {
    if (given) value = *given;
  };
  put(options.temperature, sampling.temperature);
  put(options.top_k, sampling.top_k);
  put(options.top_p, sampling.top_p);
  put(options.min_p, sampling.min_p);
  put(options.typical_p, sampling.typical_p);
  put(options.repeat_penalty, sampling.repeat_penalty);
  put(options.frequency_penalty, sampling.frequency_penalty);
  put(options.presence_penalty, sampling.presence_penalty);
  if (!options.logit_bias.empty()) sampling.logit_bias.clear();
  for (const std::string& bias : options.logit_bias) {
    sampling.logit_bias.push_back(parse_logit_bias(bias));
  }
  if (options.greedy) sampling.temperature = 0;
  sampling.seed = options.seed ? *options.seed : std::random_device{}();
  try {
    text::check(sampling);
  } catch (const std::invalid_argument& error) {
    throw CLI::ValidationError(error.what());
  }
  return sampling;
}

}  // namespace leyden::tools
