#pragma once

#include <string>
#include <vector>

#include "src/text/message.h"

namespace leyden::tools {

/// The texts of all system messages; empty if there is none.
std::string system_prompt(const std::vector<text::Message>& messages);

/// Puts `text` in the place of the first system message's, or in front of all messages if there is
/// no system message. An empty `text` takes away those of all of them. The tools and the response
/// format that a system message has stay.
void set_system_prompt(const std::string& text, std::vector<text::Message>& messages);

}  // namespace leyden::tools
