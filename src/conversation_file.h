#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "src/text/message.h"
#include "src/text/sampler_options.h"

namespace leyden {

/// How the answers of a conversation are made and shown.
struct ConversationSettings {
  text::SamplerOptions sampling;
  std::uint64_t draws = 0;         // random numbers used so far (Sampler::draws)
  int max_tokens = 0;              // of one answer; 0: as many as the context holds
  std::vector<std::string> stops;  // strings that end an answer
  bool thinking = false;
  bool fold_thinking = false;  // thoughts are had, but not shown
};

/// What is kept of a conversation between two runs of a program: text and settings.
struct Conversation {
  std::string model;  // path of the model it was had with
  std::vector<text::Message> messages;
  std::optional<ConversationSettings> settings = {};  // none: the model's recommendation
};

/// Writes a conversation as JSON (docs/chat.md has the fields), aside and then renamed, readable
/// for its owner only. Bytes that aren't UTF-8 are written as U+FFFD.
/// Errors: formats::WriteError; an earlier file is then as it was.
void write_conversation(const std::filesystem::path& path, const Conversation& conversation);

/// Reads it back. The file is never changed, however damaged.
/// Errors: formats::LoadError for what is no conversation, or one of a newer leyden.
Conversation read_conversation(const std::filesystem::path& path);

}  // namespace leyden
