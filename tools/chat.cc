#include "src/chat.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/model_options.h"
#include "tools/sampling_options.h"
#include "tools/terminal.h"

namespace leyden::tools {
namespace {

struct ChatOptions {
  ModelOptions model;
  SamplingOptions sampling;
  std::string system, thinking = "off";
};

void run_chat(const ChatOptions& options) {
  const auto engine = load_engine(options.model);
  Chat chat(engine);
  if (!options.system.empty()) {
    chat.say("system", options.system);
  }
  chat.render.thinking = options.thinking == "on";
  text::Sampler sampler(apply(options.sampling, engine->recommended_sampling()),
                        text::tokens_of(engine->tokenizer(), engine->vocab_size()));
  InterruptGuard interrupt;
  GenerationEvents events;
  events.interrupted = [&] { return interrupt.requested(); };
  events.on_text = [](Channel, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
  GenerationOptions generation;
  generation.stops = options.sampling.stops;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    interrupt.clear();
    chat.say("user", line);
    chat.answer(sampler, generation, events);
    std::fputc('\n', stdout);
    std::fflush(stdout);
  }
}

}  // namespace

void add_chat(CLI::App& app, int&) {
  auto* const command = app.add_subcommand("chat", "Talk to a model");
  const auto options = std::make_shared<ChatOptions>();
  command->add_option("--system", options->system, "System prompt");
  command->add_option("--thinking", options->thinking, "Let the model think before it answers")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  add_sampling_options(*command, options->sampling);
  add_model_options(*command, options->model);
  command->callback([options] { run_chat(*options); });
}

}  // namespace leyden::tools
