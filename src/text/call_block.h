#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "src/text/chat_format.h"
#include "src/text/message.h"

namespace leyden::text {

/// What a model puts around its tool calls.
struct CallMarkers {
  std::string_view begin;
  std::string_view end;
};
/// Both empty for V2, whose models call no tools.
CallMarkers call_markers(ChatFormat format);

/// A block of tool calls as far as it could be read.
struct CallBlock {
  enum class Status {
    kComplete,    // with its end marker
    kIncomplete,  // all right so far, but the text ends too early
    kBroken,      // no further text can make it a block
  };
  Status status = Status::kIncomplete;
  std::vector<ToolCall> calls;  // those read completely
  std::size_t n_bytes = 0;      // kComplete: of the text, end marker included
  std::string error;            // kBroken: what is wrong, in a sentence
};

/// Reads a block from `text`, which begins right after call_markers(format).begin. In V3.2 the
/// arguments become a JSON object in order of appearance: strings are quoted, others are copied as
/// they stand. Elsewhere they are the model's own text.
CallBlock parse_call_block(ChatFormat format, std::string_view text);

}  // namespace leyden::text
