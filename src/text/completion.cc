#include "src/text/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "src/text/call_block.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using namespace marker;

constexpr std::size_t kNowhere = std::string_view::npos;

void refuse_markers(ChatFormat format, std::string_view text, std::string_view where) {
  for (const std::string_view marker : {kBegin, kEnd, kThink, kEndThink, kDsml}) {
    if (marker == kDsml && format != ChatFormat::kV32) continue;
    if (text.find(marker) == kNowhere) continue;
    throw ChatError(fmt::format("the {} contains {}", where, marker));
  }
}

}  // namespace

Message parse_completion(ChatFormat format, bool thinking, std::string_view text) {
  const CallMarkers calls = call_markers(format);
  const auto find_calls = [&] { return calls.begin.empty() ? kNowhere : text.find(calls.begin); };
  Message message;
  message.role = "assistant";

  if (thinking) {
    const std::size_t end = text.find(kEndThink);
    if (end == kNowhere || find_calls() < end) {
      throw ChatError("the reasoning doesn't end with </think>");
    }
    message.reasoning_content = text.substr(0, end);
    text.remove_prefix(end + kEndThink.size());
  }

  const std::size_t calls_at = find_calls();
  const std::size_t end_at = text.find(kEnd);
  const std::size_t content_end = std::min(calls_at, end_at);
  if (content_end == kNowhere) throw ChatError(fmt::format("the answer doesn't end with {}", kEnd));
  message.content = text.substr(0, content_end);

  if (calls_at < end_at) {
    text.remove_prefix(calls_at + calls.begin.size());
    CallBlock block = parse_call_block(format, text);
    if (block.status == CallBlock::Status::kBroken) {
      throw ChatError(fmt::format("in the tool calls {}", block.error));
    }
    if (block.status == CallBlock::Status::kIncomplete) {
      throw ChatError("the tool calls don't end");
    }
    message.tool_calls = std::move(block.calls);
    text.remove_prefix(block.n_bytes);
  } else {
    text.remove_prefix(end_at);
  }
  if (text.starts_with(kEnd)) text.remove_prefix(kEnd.size());
  if (!text.empty()) throw ChatError("there is text after the end of the answer");

  refuse_markers(format, message.reasoning_content, "reasoning");
  refuse_markers(format, *message.content, "content");
  return message;
}

}  // namespace leyden::text
