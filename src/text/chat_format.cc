#include "src/text/chat_format.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "formats/json_text.h"
#include "formats/named.h"
#include "src/text/chat_render.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

constexpr std::array<formats::Named<ChatFormat>, 5> kFormats = {{
    {"v2", ChatFormat::kV2},
    {"v3", ChatFormat::kV3},
    {"r1", ChatFormat::kR1},
    {"v3.1", ChatFormat::kV31},
    {"v3.2", ChatFormat::kV32},
}};

bool has_dsml_token(const Tokenizer& tokenizer) {
  for (TokenId token = 0; token < tokenizer.id_end(); ++token) {
    if (tokenizer.is_added(token) &&
        tokenizer.bytes_of(token).find(marker::kDsml) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

Prompt render(ChatFormat format, const std::vector<Message>& messages,
              const RenderOptions& options) {
  switch (format) {
    case ChatFormat::kV2:
      return render_v2(messages, options);
    case ChatFormat::kV3:
      return render_v3(messages, options);
    case ChatFormat::kR1:
      return render_r1(messages, options);
    case ChatFormat::kV31:
      return render_v31(messages, options);
    case ChatFormat::kV32:
      return render_v32(messages, options);
  }
  return {};
}

ChatFormat choose_chat_format(const Tokenizer& tokenizer, std::string_view model_type,
                              bool has_chat_template) {
  const bool sparse = model_type == "deepseek_v32";
  if (has_dsml_token(tokenizer) || (sparse && !has_chat_template)) return ChatFormat::kV32;
  if (!tokenizer.added_token(marker::kUser)) return ChatFormat::kV2;
  const bool thinks = tokenizer.added_token(marker::kThink).has_value();
  const bool searches = tokenizer.added_token("<｜search▁begin｜>").has_value();
  if (!thinks) return ChatFormat::kV3;
  return sparse || searches ? ChatFormat::kV31 : ChatFormat::kR1;
}

Thinking thinking_of(ChatFormat format) {
  switch (format) {
    case ChatFormat::kV2:
    case ChatFormat::kV3:
      return Thinking::kNever;
    case ChatFormat::kR1:
      return Thinking::kAlways;
    case ChatFormat::kV31:
    case ChatFormat::kV32:
      return Thinking::kByChoice;
  }
  return Thinking::kNever;
}

void check_thinking(ChatFormat format, bool thinking) {
  const Thinking possible = thinking_of(format);
  if (thinking && possible == Thinking::kNever) {
    throw ChatError("this model has no thinking mode");
  }
  if (!thinking && possible == Thinking::kAlways) {
    throw ChatError("this model always thinks before it answers");
  }
}

bool opens_reasoning(const Prompt& prompt) {
  if (prompt.empty() || prompt.back().voice != Voice::kFormat) return false;
  std::string_view words = prompt.back().text;
  if (words.ends_with('\n')) words.remove_suffix(1);  // R1's
  return words.ends_with(marker::kThink);
}

std::string_view name(ChatFormat format) { return formats::name_in(kFormats, format); }

ChatFormat parse_chat_format(std::string_view text) {
  if (const auto format = formats::value_named(kFormats, text)) return *format;
  throw ChatError(fmt::format("chat format is '{}', expected v2, v3, r1, v3.1 or v3.2",
                              formats::excerpt(text, 40)));
}

}  // namespace leyden::text
