#include "src/text/dsml.h"

#include <string>
#include <string_view>

#include "formats/json_field.h"
#include "formats/json_text.h"

namespace leyden::text {
namespace {

using formats::Json;
using formats::JsonField;

// DeepSeek-V3.2's own words (encoding/encoding_dsv32.py of the checkpoint).
constexpr std::string_view kToolsIntroduction = R"(## Tools

You have access to a set of tools you can use to answer the user's question.
You can invoke functions by writing a "<｜DSML｜function_calls>" block like the following as part of your reply to the user:
<｜DSML｜function_calls>
<｜DSML｜invoke name="$FUNCTION_NAME">
<｜DSML｜parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</｜DSML｜parameter>
...
</｜DSML｜invoke>
<｜DSML｜invoke name="$FUNCTION_NAME2">
...
</｜DSML｜invoke>
</｜DSML｜function_calls>

String and scalar parameters should be specified as is without any escaping or quotes, while lists and objects should use JSON format. The "string" attribute should be set to "true" for string type parameters and "false" for other types (numbers, booleans, arrays, objects).

If the thinking_mode is enabled, then after function results you should strongly consider outputting a thinking block. Here is an example:

<｜DSML｜function_calls>
...
</｜DSML｜function_calls>

<function_results>
...
</function_results>

<think>...thinking about results</think>

Here are the functions available in JSONSchema format:
<functions>
)";

void write_call(const ToolCall& call, PromptWriter& prompt) {
  const Json arguments = formats::parse_json(call.arguments, "tool call arguments");
  const JsonField root(arguments, "tool call arguments");
  if (!arguments.is_object()) root.refuse("an object");
  prompt.format("<｜DSML｜invoke name=\"").people(call.name).format("\">\n");
  std::string_view separator;
  for (const auto& [key, value] : arguments.get_ref<const Json::object_t&>()) {
    const bool is_string = value.is_string();
    prompt.format(separator).format("<｜DSML｜parameter name=\"").people(key);
    prompt.format(is_string ? "\" string=\"true\">" : "\" string=\"false\">");
    prompt.people(is_string ? value.get_ref<const std::string&>() : formats::json_text(value));
    prompt.format("</｜DSML｜parameter>");
    separator = "\n";
  }
  prompt.format("\n</｜DSML｜invoke>");
}

}  // namespace

void write_dsml_tools(const Json& tools, PromptWriter& prompt) {
  prompt.format(kToolsIntroduction);
  for (const Json& tool : tools) {
    const JsonField function = JsonField(tool, "tools").at("function");
    prompt.people(formats::json_text(function.value())).format("\n");
  }
  prompt.format("</functions>\n");
}

void write_dsml_calls(const std::vector<ToolCall>& calls, PromptWriter& prompt) {
  prompt.format("<｜DSML｜function_calls>\n");
  for (const ToolCall& call : calls) {
    write_call(call, prompt);
    prompt.format("\n");
  }
  prompt.format("</｜DSML｜function_calls>");
}

}  // namespace leyden::text
