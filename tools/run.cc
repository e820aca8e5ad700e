#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "formats/json.h"
#include "src/chat.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/json_output.h"
#include "tools/model_options.h"
#include "tools/sampling_options.h"
#include "tools/terminal.h"

namespace leyden::tools {
namespace {

struct RunOptions {
  ModelOptions model;
  SamplingOptions sampling;
  std::string prompt, file, system, thinking = "off", json_file;
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

Generation answer_question(const std::shared_ptr<const Engine>& engine, const RunOptions& run,
                           const std::string& prompt, text::Sampler& sampler,
                           const GenerationOptions& options, const GenerationEvents& events) {
  Chat chat(engine);
  if (!run.system.empty()) chat.say("system", run.system);
  chat.say("user", prompt);
  chat.render.thinking = run.thinking == "on";
  return chat.answer(sampler, options, events);
}

void run_run(const RunOptions& run) {
  const std::string prompt = run.file.empty() ? run.prompt : formats::read_text_file(run.file);
  const auto engine = load_engine(run.model);
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
    std::FILE* const to = channel == Channel::kContent ? out : stderr;
    std::fwrite(text.data(), 1, text.size(), to);
    std::fflush(to);
  };
  GenerationOptions options;
  options.max_tokens = run.max_tokens;
  options.stops = run.sampling.stops;
  const Generation result = run.raw
                                ? continue_text(engine, prompt, sampler, options, events)
                                : answer_question(engine, run, prompt, sampler, options, events);
  line.clear();
  if (thinking) std::fputc('\n', stderr);
  std::fputc('\n', out);
  std::fflush(out);
  if (std::ferror(out)) throw std::runtime_error("can't write the answer");

  if (run.json_file.empty()) return;
  write_json(run.json_file, {{"text", result.content},
                             {"reasoning", result.reasoning},
                             {"tokens", result.tokens},
                             {"finish", name(result.finish)},
                             {"prompt_tokens", result.prompt_tokens},
                             {"generated_tokens", result.tokens.size()},
                             {"prefill_seconds", result.prefill_seconds},
                             {"decode_seconds", result.decode_seconds}});
}

}  // namespace

void add_run(CLI::App& app, int&) {
  auto* const command = app.add_subcommand("run", "Answer one prompt");
  const auto run = std::make_shared<RunOptions>();
  auto* const prompt = command->add_option("-p,--prompt", run->prompt, "The prompt");
  auto* const file =
      command->add_option("-f,--file", run->file, "File that holds the prompt")->excludes(prompt);
  command->add_option("--system", run->system, "System prompt");
  command->add_option("--thinking", run->thinking, "Let the model think first")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  command->add_flag("--raw", run->raw, "Continue the text as it stands, without a chat format");
  command->add_option("-n,--max-tokens", run->max_tokens, "Tokens of the answer at most")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--json", run->json_file,
                   "Also write the answer as JSON (- is standard output; the text then goes to "
                   "standard error)")
      ->type_name("FILE");
  add_sampling_options(*command, run->sampling);
  add_model_options(*command, run->model);
  command->callback([run, prompt, file] {
    if (prompt->empty() && file->empty()) throw CLI::RequiredError("-p or -f");
    run_run(*run);
  });
}

}  // namespace leyden::tools
