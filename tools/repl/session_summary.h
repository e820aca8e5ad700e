#pragma once

#include <filesystem>
#include <string>

#include "src/conversation_file.h"

namespace leyden::tools {

/// One line: name, number of messages, how the conversation began.
std::string summary(const std::string& name, const Conversation& conversation);

/// The same for a file; for one that can't be read, why.
std::string summary_of_file(const std::string& name, const std::filesystem::path& file);

/// The last message and its answer, as a reminder of where the conversation stands; or empty.
std::string last_exchange(const Conversation& conversation);

}  // namespace leyden::tools
