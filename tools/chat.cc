#include <fmt/format.h>
#include <langinfo.h>
#include <unistd.h>

#include <clocale>
#include <cstring>
#include <filesystem>
#include <optional>

#include "src/engine.h"
#include "tools/commands.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/repl/line_editor.h"
#include "tools/repl/printer.h"
#include "tools/repl/repl.h"
#include "tools/repl/session_store.h"
#include "tools/repl/session_summary.h"
#include "tools/repl/settings.h"
#include "tools/repl/system_prompt.h"
#include "tools/sampling_options.h"
#include "tools/terminal.h"

namespace leyden::tools {
namespace {

struct ChatOptions {
  ModelOptions model;
  SamplingOptions sampling;
  std::optional<std::string> system;
  std::string thinking, resume;
  int max_tokens = 0;
  bool resumes = false, no_save = false;
};

/// Character widths come from the locale; the text is UTF-8 in any case.
bool use_utf8_locale() {
  const auto is_utf8 = [] { return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0; };
  if (std::setlocale(LC_CTYPE, "") != nullptr && is_utf8()) return true;
  return std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr && is_utf8();
}

/// Where history and conversations go; empty, with a warning, if there is no such place.
std::filesystem::path keeping_place(const ChatOptions& options, const Printer& printer) {
  if (options.no_save) return {};
  try {
    return state_directory();
  } catch (const std::exception& error) {
    // A pipe asks for nothing to be kept, as a rule.
    if (printer.conversing() || options.resumes) {
      printer.complain(fmt::format("conversations can't be kept: {}", error.what()));
    }
    return {};
  }
}

Conversation resumed(const ChatOptions& options, SessionStore& store) {
  std::string name = options.resume;
  if (name.empty()) {
    const auto newest = store.newest();
    if (!newest) throw std::runtime_error("no conversation has been kept that could be resumed");
    name = newest->name;
  }
  return store.load(name);
}

/// What the command line says, over what the resumed conversation says, over the model's
/// recommendation.
void apply(const ChatOptions& options, const Engine& engine, Conversation& conversation) {
  const bool has_settings = conversation.settings.has_value();
  if (!has_settings) conversation.settings.emplace().sampling = engine.recommended_sampling();
  ConversationSettings& settings = *conversation.settings;
  const auto& sampling = options.sampling;
  const std::uint64_t seed = settings.sampling.seed;
  settings.sampling = apply(sampling, settings.sampling);
  if (has_settings && !sampling.seed) settings.sampling.seed = seed;
  if (sampling.seed) settings.draws = 0;
  if (!sampling.stops.empty()) settings.stops = sampling.stops;
  if (options.max_tokens > 0) settings.max_tokens = options.max_tokens;
  if (!options.thinking.empty()) {
    text::check_thinking(engine.chat_format(), options.thinking != "off");
    settings.thinking = options.thinking != "off";
    settings.fold_thinking = options.thinking == "hide";
  }
  if (options.system) set_system_prompt(*options.system, conversation.messages);
}

void greet(const Printer& printer, const SessionStore& store, const Conversation& conversation,
           bool resumes) {
  printer.note("leyden " LEYDEN_VERSION " · /help explains, Ctrl-D leaves");
  if (resumes) {
    printer.note(summary(store.name(), conversation));
    const std::string last = last_exchange(conversation, printer);
    if (!last.empty()) printer.note(last);
  } else if (const auto newest = store.newest()) {
    printer.note(fmt::format("/load takes up the last conversation:\n  {}",
                             list_row(newest->name, newest->file)));
  }
}

int run_chat(const ChatOptions& options) {
  apply(options.sampling, {});  // wrong usage should not wait until the model is loaded
  const bool utf8 = use_utf8_locale();
  const bool conversing = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  const bool capable = conversing && terminal_has_escapes();
  const Printer printer(conversing, capable && !no_color());
  const std::filesystem::path place = keeping_place(options, printer);
  SessionStore store(place.empty() ? place : place / "sessions", options.no_save);
  Conversation start;
  if (options.resumes) start = resumed(options, store);
  ModelOptions model = options.model;
  if (!model.model.empty()) {
    start.model = std::filesystem::absolute(model.model).string();
  }
  model.model = start.model;
  const auto engine = load_engine(model);
  require_in_vocabulary(options.sampling.logit_bias, engine->vocab_size());
  apply(options, *engine, start);
  check_logit_bias(store.name(), start, engine->vocab_size());

  Signals signals;
  KeySource keys(signals);
  if (conversing) greet(printer, store, start, options.resumes);
  Repl repl(engine, {signals, printer, store}, std::move(start));
  if (!capable || !utf8) {
    PlainReader reader(keys, signals, conversing);
    return repl.run(reader);
  }
  LineEditor editor(keys, signals, printer.styled() ? "\1\x1b[1m\1> \1\x1b[0m\1" : "> ",
                    HistoryFile(place.empty() ? place : place / "history"),
                    [&repl](std::string_view before, std::string_view word) {
                      return repl.complete(before, word);
                    });
  return repl.run(editor);
}

}  // namespace

void add_chat(CLI::App& app, int& exit_code) {
  auto* const command = app.add_subcommand("chat", "Talk to a model");
  const auto options = std::make_shared<ChatOptions>();
  command->add_option("--system", options->system,
                      "System prompt; \"\" removes that of a resumed conversation");
  take_one_of(command->add_option(
                  "--thinking", options->thinking,
                  "Let the model think before it answers; hide folds its thoughts into one line "
                  "(default: off; R1 always thinks)"),
              {"on", "off", "hide"});
  command
      ->add_option("-n,--max-tokens", options->max_tokens,
                   "Tokens of an answer at most (default: what the context holds)")
      ->type_name("N")
      ->check(at_least(1));
  auto* const resume =
      command
          ->add_option("--resume", options->resume,
                       "Go on with a kept conversation: a name, a path, or nothing for the last "
                       "one. Its model and settings are used where no option says otherwise")
          ->type_name("[NAME]")
          ->expected(0, 1);
  command->add_flag("--no-save", options->no_save,
                    "Keep nothing: no conversation but by /save, no history of what was typed");
  command->footer(
      "On a terminal, /help lists the commands of the conversation, and conversations are kept\n"
      "in $XDG_STATE_HOME/leyden (default: ~/.local/state/leyden). In a pipe every line of the\n"
      "input is a message, or a command, and standard output has the answers alone; thoughts\n"
      "and what commands say go to standard error. NO_COLOR and TERM=dumb are honoured.");
  add_sampling_options(*command, options->sampling);
  add_model_options(*command, options->model);
  command->callback([options, resume, &exit_code] {
    options->resumes = !resume->empty();
    exit_code = run_chat(*options);
  });
}

}  // namespace leyden::tools
