#pragma once

#include <filesystem>
#include <string>

#include "src/conversation_file.h"
#include "tools/repl/printer.h"

namespace leyden::tools {

/// "[NAME, 2 messages: how it began]", in one line.
std::string summary(const std::string& name, const Conversation& conversation);

/// A line of a list: name, number of messages, how it began; for a file that can't be read, why.
std::string list_row(const std::string& name, const std::filesystem::path& file);

/// "LABELwhat was said", its text broken as that of a live answer is, its tool calls whole.
std::string shown_message(const std::string& label, const text::Message& message,
                          const Printer& printer);

/// The last message and its answer, as a reminder of where the conversation stands; or empty.
std::string last_exchange(const Conversation& conversation, const Printer& printer);

}  // namespace leyden::tools
