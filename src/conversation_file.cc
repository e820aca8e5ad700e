#include "src/conversation_file.h"

#include <fmt/format.h>

#include <limits>
#include <span>
#include <stdexcept>
#include <utility>

#include "formats/decimal.h"
#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/output_file.h"
#include "formats/utf8.h"

namespace leyden {
namespace {

using formats::Json;
using formats::JsonField;
using formats::shortest_decimal;

constexpr const char* kFormat = "leyden-conversation";
constexpr int kVersion = 1;

Json message_json(const text::Message& message) {
  Json json =
      message.role == "assistant" ? text::assistant_json(message) : Json{{"role", message.role}};
  json["content"] = message.content ? Json(*message.content) : Json();
  if (!message.tool_calls) json.erase("tool_calls");
  if (message.reasoning_content.empty()) json.erase("reasoning_content");
  if (!message.tools.is_null()) json["tools"] = message.tools;
  if (!message.response_format.is_null()) json["response_format"] = message.response_format;
  if (message.prefix) json["prefix"] = true;
  return json;
}

Json settings_json(const ConversationSettings& settings) {
  const text::SamplerOptions& sampling = settings.sampling;
  Json bias = Json::array();
  for (const auto& [token, value] : sampling.logit_bias) {
    bias.push_back(Json::array({token, shortest_decimal(value)}));
  }
  return {{"temperature", shortest_decimal(sampling.temperature)},
          {"top_k", sampling.top_k},
          {"top_p", shortest_decimal(sampling.top_p)},
          {"min_p", shortest_decimal(sampling.min_p)},
          {"typical_p", shortest_decimal(sampling.typical_p)},
          {"repeat_penalty", shortest_decimal(sampling.repeat_penalty)},
          {"frequency_penalty", shortest_decimal(sampling.frequency_penalty)},
          {"presence_penalty", shortest_decimal(sampling.presence_penalty)},
          {"penalty_window", sampling.penalty_window},
          {"logit_bias", std::move(bias)},
          {"seed", sampling.seed},
          {"draws", settings.draws},
          {"max_tokens", settings.max_tokens},
          {"stop", settings.stops},
          {"thinking", settings.thinking},
          {"fold_thinking", settings.fold_thinking}};
}

std::uint64_t unsigned_or_zero(const JsonField& object, std::string_view key) {
  const auto field = object.find(key);
  if (!field) return 0;
  if (!field->value().is_number_unsigned()) field->refuse("an integer from 0 to 2^64 - 1");
  return field->value().get<std::uint64_t>();
}

ConversationSettings settings_from_json(const JsonField& json) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
  ConversationSettings settings;
  text::SamplerOptions& sampling = settings.sampling;
  const auto number = [&](std::string_view key, float& value) {
    value = static_cast<float>(json.number_or(key, static_cast<double>(value)));
  };
  const auto integer = [&](std::string_view key, int fallback) {
    return static_cast<std::int32_t>(json.integer_or(key, fallback, 0, kMax));
  };
  number("temperature", sampling.temperature);
  number("top_p", sampling.top_p);
  number("min_p", sampling.min_p);
  number("typical_p", sampling.typical_p);
  number("repeat_penalty", sampling.repeat_penalty);
  number("frequency_penalty", sampling.frequency_penalty);
  number("presence_penalty", sampling.presence_penalty);
  sampling.top_k = integer("top_k", sampling.top_k);
  sampling.penalty_window = integer("penalty_window", sampling.penalty_window);
  if (const auto bias = json.find("logit_bias")) {
    for (std::size_t i = 0; i < bias->size(); ++i) {
      const JsonField pair = bias->element(i);
      if (pair.size() != 2) pair.refuse("a pair [token id, value]");
      // Null is what JSON made of -inf, which was once allowed.
      const JsonField value = pair.element(1);
      sampling.logit_bias.emplace_back(
          static_cast<text::TokenId>(pair.element(0).as_integer(0, kMax)),
          value.value().is_null() ? std::numeric_limits<float>::lowest()
                                  : static_cast<float>(value.as_number()));
    }
  }
  sampling.seed = unsigned_or_zero(json, "seed");
  settings.draws = unsigned_or_zero(json, "draws");
  settings.max_tokens = integer("max_tokens", 0);
  if (const auto stops = json.find("stop")) {
    for (std::size_t i = 0; i < stops->size(); ++i) {
      settings.stops.push_back(stops->element(i).as_string());
    }
  }
  settings.thinking = json.boolean_or("thinking", false);
  settings.fold_thinking = json.boolean_or("fold_thinking", false);
  try {
    text::check(sampling);
  } catch (const std::invalid_argument& error) {
    throw formats::LoadError(json.origin(),
                             fmt::format("field '{}': {}", json.path(), error.what()));
  }
  return settings;
}

}  // namespace

void write_conversation(const std::filesystem::path& path, const Conversation& conversation) {
  Json messages = Json::array();
  for (const text::Message& message : conversation.messages) {
    messages.push_back(message_json(message));
  }
  Json document = {{"format", kFormat}, {"version", kVersion}, {"model", conversation.model}};
  if (conversation.settings) document["settings"] = settings_json(*conversation.settings);
  document["messages"] = std::move(messages);
  const std::string text = formats::utf8_replace_invalid(formats::json_lines_text(document)) + "\n";
  formats::OutputFile file(path, text.size(), 0600);
  file.write(0, std::as_bytes(std::span(text)));
  file.commit();
}

Conversation read_conversation(const std::filesystem::path& path) {
  const Json document = formats::parse_json(formats::read_regular_file(path), path.string());
  const JsonField root(document, path.string());
  const auto format = root.find("format");
  if (!format || !format->value().is_string() || format->as_string() != kFormat) {
    throw formats::LoadError(path.string(),
                             fmt::format("field 'format' isn't \"{}\", so this is no conversation "
                                         "that leyden has saved",
                                         kFormat));
  }
  const std::int64_t version = root.integer("version", 1);
  if (version > kVersion) {
    throw formats::LoadError(path.string(), fmt::format("field 'version' is {}, this leyden reads "
                                                        "up to {}; a newer leyden has written it",
                                                        version, kVersion));
  }
  Conversation conversation;
  conversation.model = root.string_or("model", "");
  const JsonField messages = root.at("messages");
  text::check_roles(messages);
  conversation.messages = text::messages_from_json(messages);
  if (const auto settings = root.find("settings")) {
    conversation.settings = settings_from_json(*settings);
  }
  return conversation;
}

}  // namespace leyden
