#include "tools/repl/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <functional>
#include <stdexcept>

#include "tools/sampling_options.h"
#include "tools/token_list.h"

namespace leyden::tools {
namespace {

using Settings = ConversationSettings;

struct Setting {
  std::string_view name, help;
  std::function<std::string(const Settings&)> show;
  std::function<void(const std::string&, Settings&)> change;
};

template <class Number>
Number number_from(const std::string& text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stopped != end) {
    throw std::invalid_argument(
        fmt::format("'{}' is not {}", text,
                    std::is_integral_v<Number> ? "a whole number that fits" : "a number"));
  }
  return value;
}

template <class Owner, class Number>
Setting sampling_number(std::string_view name, Number Owner::*field, std::string_view help) {
  return {name, help, [field](const Settings& s) { return fmt::format("{}", s.sampling.*field); },
          [field](const std::string& text, Settings& s) {
            s.sampling.*field = number_from<Number>(text);
          }};
}

std::string show_bias(const Settings& settings) {
  std::string text;
  for (const auto& [token, bias] : settings.sampling.logit_bias) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", token, bias);
  }
  return text.empty() ? "none" : text;
}

void change_bias(const std::string& text, Settings& settings) {
  if (text.empty()) {
    settings.sampling.logit_bias.clear();
  } else {
    settings.sampling.logit_bias.push_back(parse_logit_bias(text, "logit-bias"));
  }
}

void change_stops(const std::string& text, Settings& settings) {
  if (text.empty()) {
    settings.stops.clear();
  } else {
    settings.stops.push_back(text);
  }
}

void change_max_tokens(const std::string& text, Settings& settings) {
  const int value = number_from<int>(text);
  if (value < 0) throw std::invalid_argument("max-tokens is negative, expected 0 (all) or more");
  settings.max_tokens = value;
}

const std::vector<Setting>& all_settings() {
  using text::SamplerOptions;
  static const std::vector<Setting> settings = {
      sampling_number("temp", &SamplerOptions::temperature, "0 always takes the best token"),
      sampling_number("top-k", &SamplerOptions::top_k, "keep the K most probable; 0: all"),
      sampling_number("top-p", &SamplerOptions::top_p,
                      "keep the fewest with this probability together"),
      sampling_number("min-p", &SamplerOptions::min_p,
                      "keep those with this share of the best one's"),
      sampling_number("typical", &SamplerOptions::typical_p,
                      "keep the most typical with this probability"),
      sampling_number("repeat-penalty", &SamplerOptions::repeat_penalty,
                      "on tokens that occurred; 1: none"),
      sampling_number("frequency-penalty", &SamplerOptions::frequency_penalty,
                      "subtracted per occurrence"),
      sampling_number("presence-penalty", &SamplerOptions::presence_penalty,
                      "subtracted once for what occurred"),
      sampling_number("seed", &SamplerOptions::seed, "same seed, same text"),
      {"max-tokens", "of an answer; 0: what fits",
       [](const Settings& s) { return fmt::format("{}", s.max_tokens); }, change_max_tokens},
      {"stop", "texts that end an answer",
       [](const Settings& s) {
         return s.stops.empty() ? "none" : fmt::format("{}", fmt::join(s.stops, " | "));
       },
       change_stops},
      {"logit-bias", "ID=VALUE, added to a token's logit", show_bias, change_bias},
  };
  return settings;
}

const Setting& find_setting(std::string_view name) {
  for (const Setting& setting : all_settings()) {
    if (setting.name == name) return setting;
  }
  throw std::invalid_argument(fmt::format("there is no setting '{}'; /set lists them", name));
}

}  // namespace

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Setting& setting : all_settings()) names.emplace_back(setting.name);
  return names;
}

std::string show_settings(const Settings& settings) {
  std::string text;
  for (const Setting& setting : all_settings()) {
    text += fmt::format("{}  {:18} {:12} {}", text.empty() ? "" : "\n", setting.name,
                        setting.show(settings), setting.help);
  }
  return text;
}

bool is_list(std::string_view name) { return name == "stop" || name == "logit-bias"; }

std::string show_setting(std::string_view name, const Settings& settings) {
  return fmt::format("{} is {}", name, find_setting(name).show(settings));
}

void change_setting(std::string_view name, const std::string& value, Settings& settings) {
  Settings changed = settings;
  find_setting(name).change(value, changed);
  text::check(changed.sampling);
  if (name == "seed") changed.draws = 0;
  settings = std::move(changed);
}

void check_logit_bias(const std::string& name, const Conversation& conversation,
                      std::int32_t vocab_size) {
  if (!conversation.settings) return;
  for (const auto& [token, bias] : conversation.settings->sampling.logit_bias) {
    require_in_vocabulary({&token, 1}, vocab_size, name + ": field 'settings.logit_bias'");
  }
}

}  // namespace leyden::tools
