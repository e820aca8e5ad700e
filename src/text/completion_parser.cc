#include "src/text/completion_parser.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "formats/load_error.h"
#include "src/text/dsml.h"
#include "src/text/hold_back.h"
#include "src/text/markers.h"

namespace leyden::text {

using namespace marker;

namespace {

// V3.2 writes the arguments of a call anew in the next prompt. What isn't JSON, as
// string="false">ten, would leave the conversation without one.
bool can_be_rendered(ChatFormat format, const std::vector<ToolCall>& calls) {
  if (format != ChatFormat::kV32) return true;
  try {
    PromptWriter nowhere;
    write_dsml_calls(calls, nowhere);
    return true;
  } catch (const formats::LoadError&) {
    return false;
  }
}

// A block without a call in it is as good as broken: its text must not vanish.
bool has_calls(ChatFormat format, const CallBlock& block) {
  return block.status == CallBlock::Status::kComplete && !block.calls.empty() &&
         can_be_rendered(format, block.calls);
}

}  // namespace

CompletionParser::CompletionParser(std::optional<ChatFormat> format, bool thinking)
    : format_(format), state_(thinking ? State::kReasoning : State::kContent) {
  if (format) calls_ = call_markers(*format);
  message_.role = "assistant";
  message_.content = "";
}

CompletionParser::Delta CompletionParser::push(std::string_view text) {
  Delta delta;
  if (text.empty()) return delta;
  if (state_ == State::kEnded) {  // so that was not the end
    state_ = State::kContent;
    delta.content = kEnd;
  }
  held_ += text;
  // A block of calls becomes complete with the end of a marker; one that goes wrong earlier waits
  // for the next, or for finish().
  if (state_ == State::kCalls && text.find('>') == std::string_view::npos) return delta;
  read(delta);
  collect(delta);
  return delta;
}

CompletionParser::Delta CompletionParser::finish() {
  Delta delta;
  read(delta);
  if (state_ == State::kCalls) {
    // All calls may be there and only the end marker missing.
    CallBlock block = parse_call_block(*format_, held_ + std::string(calls_.end));
    if (has_calls(*format_, block) && block.n_bytes == held_.size() + calls_.end.size()) {
      std::move(block.calls.begin(), block.calls.end(), std::back_inserter(delta.tool_calls));
    } else {
      delta.content.append(calls_.begin).append(held_);
    }
    held_.clear();
  }
  emit(std::exchange(held_, {}), delta);
  state_ = State::kEnded;
  collect(delta);
  return delta;
}

// Passes on what can be. What was read goes at once at the end, as every erasing moves the rest.
void CompletionParser::read(Delta& delta) {
  while (step(delta)) {
  }
  held_.erase(0, std::exchange(n_read_, 0));
}

// A step of it; false when nothing more can be done without more text.
bool CompletionParser::step(Delta& delta) {
  switch (state_) {
    case State::kReasoning:
    case State::kContent:
      return read_text(delta);
    case State::kCalls:
      return read_calls(delta);
    case State::kEnded:
      if (unread().empty()) return false;
      delta.content += kEnd;
      state_ = State::kContent;
      return true;
  }
  return false;
}

bool CompletionParser::read_text(Delta& delta) {
  struct Exit {
    std::string_view marker;
    State state;
  };
  std::vector<Exit> exits = {{kEnd, State::kEnded}};
  if (!calls_.begin.empty()) exits.push_back({calls_.begin, State::kCalls});
  if (state_ == State::kReasoning) exits.push_back({kEndThink, State::kContent});

  // One walk up to the first marker: there may be many, and a search for each reads all the rest.
  const std::string_view rest = unread();
  for (std::size_t at = 0; at < rest.size(); ++at) {
    for (const Exit& exit : exits) {
      if (!rest.substr(at).starts_with(exit.marker)) continue;
      emit(rest.substr(0, at), delta);
      n_read_ += at + exit.marker.size();
      state_ = exit.state;
      return true;
    }
  }
  std::size_t n_kept = 0;
  for (const Exit& exit : exits) {
    n_kept = std::max(n_kept, partial_match_at_end(rest, exit.marker));
  }
  emit(rest.substr(0, rest.size() - n_kept), delta);
  n_read_ += rest.size() - n_kept;
  return false;
}

bool CompletionParser::read_calls(Delta& delta) {
  CallBlock block = parse_call_block(*format_, unread());
  if (block.status == CallBlock::Status::kIncomplete) return false;
  if (has_calls(*format_, block)) {
    std::move(block.calls.begin(), block.calls.end(), std::back_inserter(delta.tool_calls));
    n_read_ += block.n_bytes;
  } else {
    delta.content += calls_.begin;
  }
  state_ = State::kContent;
  return true;
}

void CompletionParser::emit(std::string_view text, Delta& delta) const {
  (state_ == State::kReasoning ? delta.reasoning : delta.content) += text;
}

void CompletionParser::collect(const Delta& delta) {
  message_.reasoning_content += delta.reasoning;
  *message_.content += delta.content;
  if (delta.tool_calls.empty()) return;
  if (!message_.tool_calls) message_.tool_calls.emplace();
  message_.tool_calls->insert(message_.tool_calls->end(), delta.tool_calls.begin(),
                              delta.tool_calls.end());
}

}  // namespace leyden::text
