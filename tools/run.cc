#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "formats/json.h"
#include "formats/json_text.h"
#include "src/chat.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/json_output.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/request_file.h"
#include "tools/sampling_options.h"
#include "tools/terminal.h"
#include "tools/tool_calls.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

struct RunOptions {
  ModelOptions model;
  SamplingOptions sampling;
  std::string prompt, file, messages_file, tools_file, system, thinking, json_file;
  bool raw = false;
  int max_tokens = 0;
};

/// The text as it stands, after the model's begin token.
Generation continue_text(const std::shared_ptr<const Engine>& engine, const std::string& prompt,
                         text::Sampler& sampler, const GenerationOptions& options,
                         const GenerationEvents& events) {
  std::vector<text::TokenId> tokens = engine->tokenizer().encode_text(prompt);
  if (const auto begin = engine->begin_token()) tokens.insert(tokens.begin(), *begin);
  if (tokens.empty()) throw std::runtime_error("the prompt is empty");
  for (const text::TokenId token : tokens) sampler.accept(token);
  Session session(engine);
  return generate(session, tokens, sampler, options, events);
}

/// The conversation to be answered, from a file or made of one prompt.
std::vector<text::Message> conversation(const RunOptions& run, const std::string& prompt) {
  std::vector<text::Message> messages;
  const auto say = [&messages](const char* role, const std::string& content) {
    text::Message& message = messages.emplace_back();
    message.role = role;
    message.content = content;
  };
  if (!run.messages_file.empty()) {
    messages = read_messages(run.messages_file);
  } else {
    if (!run.system.empty()) say("system", run.system);
    say("user", prompt);
  }
  if (!run.tools_file.empty()) offer_tools(run.tools_file, messages);
  return messages;
}

Generation answer_messages(const std::shared_ptr<const Engine>& engine, const RunOptions& run,
                           std::vector<text::Message> messages, text::Sampler& sampler,
                           const GenerationOptions& options, const GenerationEvents& events) {
  Chat chat(engine);
  chat.messages = std::move(messages);
  chat.render.thinking = run.thinking == "on";
  return chat.answer(sampler, options, events);
}

/// Every letter where a program reads it; nothing that could do something to a terminal.
void print_text(std::FILE* to, std::string_view text) {
  const bool at_terminal = isatty(fileno(to)) == 1;
  const std::string shown = at_terminal ? visible(text) : std::string(text);
  std::fwrite(shown.data(), 1, shown.size(), to);
  std::fflush(to);
}

/// What comes after the text: tool calls, one line of JSON.
void print_tool_calls(const Generation& result, std::FILE* out) {
  if (result.tool_calls.empty()) return;
  if (!result.content.empty()) std::fputc('\n', out);
  print_text(out, formats::json_text(tool_calls_json(result.tool_calls)));
}

/// Returns the exit status.
int run_run(const RunOptions& run) {
  apply(run.sampling, {});  // wrong usage should not wait until the model is loaded
  const std::string prompt = run.file.empty() ? run.prompt : formats::read_text_file(run.file);
  std::vector<text::Message> messages = conversation(run, prompt);
  check_json_target(run.json_file, {run.file, run.messages_file, run.tools_file}, {run.model});
  const auto engine = load_engine(run.model);
  require_in_vocabulary(run.sampling.logit_bias, engine->vocab_size());
  if (!run.raw && !run.thinking.empty()) {
    text::check_thinking(engine->chat_format(), run.thinking == "on");
  }
  text::Sampler sampler(apply(run.sampling, engine->recommended_sampling()),
                        text::tokens_of(engine->tokenizer(), engine->vocab_size()));
  std::FILE* const out = human_output(run.json_file);
  const InterruptGuard interrupt;
  ProgressLine line("reading the prompt", ProgressLine::Unit::kTokens);

  GenerationEvents events;
  events.interrupted = [&] { return interrupt.requested(); };
  events.on_prefill = [&](int done, int total) {
    line.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  };
  bool thinking = false;
  events.on_text = [&](Channel channel, std::string_view text) {
    line.clear();
    if (thinking && channel == Channel::kContent) std::fputs("\n", stderr);
    thinking = channel == Channel::kReasoning;
    // Thoughts go beside the answer, not into it.
    print_text(channel == Channel::kContent ? out : stderr, text);
  };
  GenerationOptions options;
  options.max_tokens = run.max_tokens;
  options.stops = run.sampling.stops;
  const Generation result =
      run.raw ? continue_text(engine, prompt, sampler, options, events)
              : answer_messages(engine, run, std::move(messages), sampler, options, events);
  line.clear();
  if (thinking) std::fputc('\n', stderr);
  print_tool_calls(result, out);
  std::fputc('\n', out);
  std::fflush(out);
  if (std::ferror(out)) throw std::runtime_error("can't write the answer");

  if (!run.json_file.empty()) {
    write_json(run.json_file, {{"text", result.content},
                               {"reasoning", result.reasoning},
                               {"tool_calls", tool_calls_json(result.tool_calls)},
                               {"tokens", result.tokens},
                               {"finish", name(result.finish)},
                               {"prompt_tokens", result.prompt_tokens},
                               {"generated_tokens", result.tokens.size()},
                               {"prefill_seconds", result.prefill_seconds},
                               {"decode_seconds", result.decode_seconds}});
  }
  if (result.finish == Finish::kError) throw std::runtime_error(result.error);
  return result.finish == Finish::kInterrupt ? kInterruptStatus : 0;
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto* const command = app.add_subcommand("run", "Answer one prompt");
  const auto run = std::make_shared<RunOptions>();
  auto* const prompt = command->add_option("-p,--prompt", run->prompt, "The prompt");
  auto* const file = command->add_option("-f,--file", run->file, "File that holds the prompt")
                         ->type_name("FILE")
                         ->check(a_path())
                         ->excludes(prompt);
  auto* const messages =
      command
          ->add_option("--messages", run->messages_file,
                       "JSON file of a conversation to answer: a list of messages, or an object "
                       "with messages and tools, as in OpenAI's interface")
          ->type_name("FILE")
          ->check(a_path())
          ->excludes(prompt)
          ->excludes(file);
  auto* const tools =
      command
          ->add_option("--tools", run->tools_file,
                       "JSON file of tools to offer, a list of {type, function}; calls are printed "
                       "after the text, as JSON")
          ->type_name("FILE")
          ->check(a_path());
  auto* const system =
      command->add_option("--system", run->system, "System prompt")->excludes(messages);
  take_one_of(command->add_option("--thinking", run->thinking,
                                  "Let the model think first (default: off; R1 always thinks)"),
              {"on", "off"});
  command->add_flag("--raw", run->raw, "Continue the text as it stands, without a chat format")
      ->excludes(messages)
      ->excludes(tools)
      ->excludes(system);
  command->add_option("-n,--max-tokens", run->max_tokens, "Tokens of the answer at most")
      ->type_name("N")
      ->check(at_least(1));
  command
      ->add_option("--json", run->json_file,
                   "Also write the answer as JSON (- is standard output; the text then goes to "
                   "standard error)")
      ->type_name("FILE")
      ->check(a_path());
  add_sampling_options(*command, run->sampling);
  add_model_options(*command, run->model);
  command->callback([run, prompt, file, messages, &exit_code] {
    if (prompt->empty() && file->empty() && messages->empty()) {
      throw CLI::RequiredError("-p, -f or --messages");
    }
    if (run->raw && run->thinking == "on") throw CLI::ExcludesError("--raw", "--thinking on");
    exit_code = run_run(*run);
  });
}

}  // namespace leyden::tools
