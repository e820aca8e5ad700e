#include "src/text/call_block.h"

#include <utility>

#include "src/text/call_block_reader.h"
#include "src/text/markers.h"

namespace leyden::text {
namespace {

using namespace marker;

constexpr std::string_view kNeitherCallNorEnd = "expected a tool call or the end of the calls";

// NAME <sep> ARGUMENTS <end of call>, the calls without anything between them.
CallBlock parse_v31_block(std::string_view text) {
  CallBlockReader reader(text);
  std::string_view name, arguments, found;
  while (reader.expect({kToolCallBegin, kToolCallsEnd}, found, kNeitherCallNorEnd)) {
    if (found == kToolCallsEnd) return reader.complete();
    if (!reader.read_until({kToolSep}, name, found)) break;
    if (!reader.read_until({kToolCallEnd}, arguments, found)) break;
    reader.add_call({.name = std::string(name), .arguments = std::string(arguments)});
  }
  return reader.incomplete();
}

// TYPE <sep> NAME, and the arguments in a fenced block of JSON; a line break between the calls.
CallBlock parse_v3_block(std::string_view text) {
  CallBlockReader reader(text);
  constexpr std::string_view kNextCall = "\n<｜tool▁call▁begin｜>";
  std::string_view type, name, arguments, found;
  std::string_view call = kToolCallBegin;
  while (reader.expect({call, kToolCallsEnd}, found, kNeitherCallNorEnd)) {
    if (found == kToolCallsEnd) return reader.complete();
    call = kNextCall;
    if (!reader.read_until({kToolSep}, type, found)) break;
    if (!reader.read_until({"\n```json\n"}, name, found)) break;
    if (!reader.read_until({"\n```<｜tool▁call▁end｜>"}, arguments, found)) break;
    reader.add_call({.type = std::string(type),
                     .name = std::string(name),
                     .arguments = std::string(arguments)});
  }
  return reader.incomplete();
}

}  // namespace

CallMarkers call_markers(ChatFormat format) {
  if (format == ChatFormat::kV2) return {};
  if (format == ChatFormat::kV32) {
    return {"\n\n<｜DSML｜function_calls", "</｜DSML｜function_calls>"};
  }
  return {kToolCallsBegin, kToolCallsEnd};
}

CallBlock parse_call_block(ChatFormat format, std::string_view text) {
  switch (format) {
    case ChatFormat::kV2:
      return {};
    case ChatFormat::kV3:
    case ChatFormat::kR1:
      return parse_v3_block(text);
    case ChatFormat::kV31:
      return parse_v31_block(text);
    case ChatFormat::kV32:
      return parse_dsml_block(text);
  }
  return {};
}

}  // namespace leyden::text
