#pragma once

#include <string>
#include <vector>

#include "src/text/message.h"

namespace leyden::tools {

/// Reads a conversation in the form of OpenAI's chat interface: a list of messages, or an object
/// whose `messages` they are and which may have `tools` beside them.
/// Errors: formats::LoadError naming file and field; no messages are an error too.
std::vector<text::Message> read_messages(const std::string& file);

/// Offers the tools of a file to the model: a list of {"type", "function"}, or an object whose
/// `tools` it is. They replace those the messages offer.
/// Errors: formats::LoadError naming file and field.
void offer_tools(const std::string& file, std::vector<text::Message>& messages);

}  // namespace leyden::tools
