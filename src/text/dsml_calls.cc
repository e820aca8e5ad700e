#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json_text.h"
#include "src/text/call_block_reader.h"

namespace leyden::text {
namespace {

// Tags as DeepSeek's own parser looks for them: without their ends, which it then compares.
constexpr std::string_view kInvoke = "<｜DSML｜invoke";
constexpr std::string_view kEndInvoke = "</｜DSML｜invoke";
constexpr std::string_view kParameter = "<｜DSML｜parameter";
constexpr std::string_view kEndParameter = "/｜DSML｜parameter";
constexpr std::string_view kEndCalls = "</｜DSML｜function_calls>";
constexpr std::string_view kTagEnd = ">\n";
constexpr std::string_view kStrayText = "there is text between the tags";

struct Parameter {
  std::string name;
  bool is_string;
  std::string value;
};

// ` name="NAME">` and a line break or two, as between the invoke tags of a call without arguments.
bool parse_invoke_name(std::string_view text, std::string& name) {
  constexpr std::string_view kOpening = "name=\"";
  constexpr std::string_view kClosing = "\">\n";
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n\v\f")));
  if (!text.starts_with(kOpening)) return false;
  text.remove_prefix(kOpening.size());
  if (text.ends_with("\">\n\n")) text.remove_suffix(1);
  if (!text.ends_with(kClosing)) return false;
  text.remove_suffix(kClosing.size());
  name = text;
  return true;
}

// ` name="NAME" string="true|false">VALUE<`; the last character belongs to the closing tag.
bool parse_parameter(std::string_view text, Parameter& parameter) {
  constexpr std::string_view kOpening = " name=\"";
  constexpr std::string_view kString = "\" string=\"true\">";
  constexpr std::string_view kOther = "\" string=\"false\">";
  if (!text.starts_with(kOpening)) return false;
  text.remove_prefix(kOpening.size());
  const std::size_t string_at = text.find(kString);
  const std::size_t other_at = text.find(kOther);
  const std::size_t at = std::min(string_at, other_at);
  if (at == std::string_view::npos) return false;
  parameter.is_string = string_at < other_at;
  parameter.name = text.substr(0, at);
  text.remove_prefix(at + (parameter.is_string ? kString : kOther).size());
  if (!text.ends_with('<')) return false;
  parameter.value = text.substr(0, text.size() - 1);
  return true;
}

std::string arguments_text(const std::vector<Parameter>& parameters) {
  std::string json = "{";
  for (const Parameter& parameter : parameters) {
    if (json.size() > 1) json += ", ";
    json += formats::json_quote(parameter.name) + ": ";
    json += parameter.is_string ? formats::json_quote(parameter.value) : parameter.value;
  }
  return json + "}";
}

// The parameters of a call and its closing tag. `stop`: the tag that came first.
bool read_parameters(CallBlockReader& reader, std::string_view stop,
                     std::vector<Parameter>& parameters) {
  std::string_view text;
  while (stop == kParameter) {
    Parameter parameter;
    if (!reader.read_until({kEndParameter}, text, stop)) return false;
    if (!parse_parameter(text, parameter)) {
      return reader.broken("a parameter isn't name=\"...\" string=\"true|false\">...");
    }
    const auto same_name = [&](const Parameter& other) { return other.name == parameter.name; };
    if (std::any_of(parameters.begin(), parameters.end(), same_name)) {
      return reader.broken("a parameter comes twice");
    }
    parameters.push_back(std::move(parameter));
    if (!reader.expect({kTagEnd}, text, kStrayText)) return false;
    if (!reader.expect({kParameter, kEndInvoke}, stop, kStrayText)) return false;
  }
  return true;
}

bool read_call(CallBlockReader& reader) {
  std::string_view text, stop;
  ToolCall call;
  if (!reader.read_until({kParameter, kEndInvoke}, text, stop)) return false;
  if (!parse_invoke_name(text, call.name)) return reader.broken("a call isn't name=\"...\">");
  std::vector<Parameter> parameters;
  if (!read_parameters(reader, stop, parameters)) return false;
  call.arguments = arguments_text(parameters);
  reader.add_call(std::move(call));
  return true;
}

}  // namespace

CallBlock parse_dsml_block(std::string_view text) {
  CallBlockReader reader(text);
  std::string_view found;
  while (reader.expect({kTagEnd}, found, kStrayText) &&
         reader.expect({kInvoke, kEndCalls}, found, kStrayText)) {
    if (found == kEndCalls) return reader.complete();
    if (!read_call(reader)) break;
  }
  return reader.incomplete();
}

}  // namespace leyden::text
