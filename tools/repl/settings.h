#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/conversation_file.h"

namespace leyden::tools {

/// Names that /set knows: those of the command line's options.
std::vector<std::string> setting_names();

/// One line per setting: name, value, meaning.
std::string show_settings(const ConversationSettings& settings);

/// Whether a setting is a list, which a change without a value empties.
bool is_list(std::string_view name);

/// "NAME is VALUE". Errors: std::invalid_argument for an unknown name.
std::string show_setting(std::string_view name, const ConversationSettings& settings);

/// Changes one setting, or throws std::invalid_argument saying what is wrong and leaves all as
/// they were. "stop" and "logit-bias" add to their lists; without a value they empty them.
void change_setting(std::string_view name, const std::string& value,
                    ConversationSettings& settings);

/// Refuses a conversation of this name whose logit biases name a token that a model with so many
/// tokens lacks. Errors: formats::LoadError.
void check_logit_bias(const std::string& name, const Conversation& conversation,
                      std::int32_t vocab_size);

}  // namespace leyden::tools
