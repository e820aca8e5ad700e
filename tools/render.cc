#include <memory>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/json_field.h"
#include "src/text/chat_format.h"
#include "src/text/completion.h"
#include "src/text/completion_parser.h"
#include "src/text/message.h"
#include "tools/commands.h"
#include "tools/json_lines.h"
#include "tools/option_checks.h"

namespace leyden::tools {
namespace {

using formats::Json;
using formats::JsonField;

struct CommandOptions {
  std::string format, json_lines = "-";
  bool parse = false;
  bool lenient = false;
};

// A line may name its own format; otherwise --format decides.
text::ChatFormat format_of(const JsonField& line, const CommandOptions& options) {
  if (!options.format.empty()) return text::parse_chat_format(options.format);
  return text::parse_chat_format(line.string("format"));
}

Json render_line(const JsonField& line, const CommandOptions& options) {
  std::vector<text::Message> messages = text::messages_from_json(line.at("messages"));
  if (const auto tools = line.find("tools")) text::attach_tools(*tools, messages);
  const text::RenderOptions render_options = {
      .thinking = line.boolean_or("thinking", false),
      .add_begin = line.boolean_or("add_bos", true),
      .add_generation_prompt = line.boolean_or("add_generation_prompt", true),
      .drop_thinking = line.boolean_or("drop_thinking", true)};
  return {{"prompt", joined(render(format_of(line, options), messages, render_options))}};
}

Json parse_line(const JsonField& line, const CommandOptions& options) {
  const text::ChatFormat format = format_of(line, options);
  const bool thinking = line.boolean_or("thinking", false);
  const std::string& completion = line.string("text");
  if (!options.lenient) {
    return {{"message", assistant_json(parse_completion(format, thinking, completion))}};
  }
  text::CompletionParser parser(format, thinking);
  parser.push(completion);
  parser.finish();
  return {{"message", assistant_json(parser.message())}};
}

}  // namespace

void add_render(CLI::App& app, int&) {
  const auto options = std::make_shared<CommandOptions>();
  CLI::App* command =
      app.add_subcommand("render", "Turn conversations into prompts, or completions into messages");
  take_one_of(command->add_option("--format", options->format,
                                  "Of prompts and completions (default: each line's own)"),
              {"v2", "v3", "r1", "v3.1", "v3.2"});
  command
      ->add_option("--jsonl", options->json_lines,
                   "File of conversations, one per line; - is standard input")
      ->type_name("FILE")
      ->check(a_path())
      ->capture_default_str();
  auto* const parse = command->add_flag(
      "--parse", options->parse,
      "The other way: completions in, messages out; \"text\" and \"thinking\" in a "
      "line, \"message\" or \"error\" in the answer");
  command
      ->add_flag("--lenient", options->lenient,
                 "With --parse: never an error, what isn't by the letter is content")
      ->needs(parse);
  command->footer(
      "A line has \"messages\" and, if wanted, \"tools\", \"thinking\", \"drop_thinking\" (v3.2),\n"
      "\"add_generation_prompt\" (not v3.2), \"add_bos\" and \"format\". It is answered by\n"
      "{\"prompt\": ...}, or {\"error\": ...} if the format has no form for it, which is an\n"
      "answer too: the exit status stays 0.");
  command->callback([options] {
    answer_json_lines(options->json_lines, [&](const JsonField& line) {
      return options->parse ? parse_line(line, *options) : render_line(line, *options);
    });
  });
}

}  // namespace leyden::tools
