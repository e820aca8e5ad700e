#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/generate.h"
#include "src/session.h"
#include "src/text/chat_format.h"
#include "src/text/message.h"
#include "src/text/sampler.h"
#include "src/text/segment.h"

namespace leyden {

/// A conversation that has become longer than the context. Nothing was computed.
class ContextFull : public std::runtime_error {
 public:
  ContextFull(std::size_t n_tokens, std::int32_t n_capacity);
  std::size_t tokens;     // of the conversation, with the last message
  std::int32_t capacity;  // tokens that the context holds
};

/// A conversation: the messages and the session that has read them. Before an answer the whole
/// conversation is rendered, and only what the session doesn't already hold is computed.
class Chat {
 public:
  explicit Chat(std::shared_ptr<const Engine> engine);

  /// May be changed freely between answers.
  std::vector<text::Message> messages;
  text::RenderOptions render;

  /// Appends a message of "system" or "user".
  void say(std::string role, std::string content);

  /// Answers the messages, the last of which is a user's, a tool's (in V3.2 the result of the last
  /// call) or, in V3.2, a developer's, and appends the answer. But for V3.2, system messages may
  /// follow it, and a developer's messages are system messages.
  /// Tool calls are recognised if the messages offer tools (text::attach_tools).
  /// What an interrupted answer had said, or one that ended for want of memory, stays part of the
  /// conversation; if it was interrupted before its first token, no message is appended.
  /// Errors: text::ChatError, also for another last message; ContextFull; those of generate(). The
  ///         messages are then as they were.
  Generation answer(text::Sampler& sampler, const GenerationOptions& options,
                    const GenerationEvents& events);

  /// How many tokens the messages are for the next answer. Errors: text::ChatError.
  std::size_t n_tokens() const { return rendered_as_past().size(); }
  /// Lets the session forget all tokens that the next answer wouldn't go on from: those of messages
  /// that were taken back, or of another conversation. Errors: text::ChatError.
  void forget_what_is_gone();

  text::ChatFormat format() const { return format_; }
  /// Whose tokens the next answer goes on from, as far as they are the conversation's.
  const Session& session() const { return session_; }
  Session& session() { return session_; }

 private:
  text::Prompt rendered() const;
  std::vector<text::TokenId> rendered_as_past() const;
  /// How many of them the session holds already.
  std::size_t n_known(std::span<const text::TokenId> prompt) const;

  std::shared_ptr<const Engine> engine_;
  text::ChatFormat format_;
  Session session_;
};

}  // namespace leyden
