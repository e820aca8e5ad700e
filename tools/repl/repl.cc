#include "tools/repl/repl.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "formats/json_text.h"
#include "src/engine.h"
#include "src/session_file.h"
#include "src/text/sampler.h"
#include "tools/interrupt.h"
#include "tools/repl/command_line.h"
#include "tools/repl/commands.h"
#include "tools/repl/quiet_terminal.h"
#include "tools/terminal.h"
#include "tools/tool_calls.h"
#include "tools/units.h"

namespace leyden::tools {
namespace {

constexpr int kSignalStatus = 128;  // plus the signal's number, as shells count

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

}  // namespace

Repl::Repl(std::shared_ptr<const Engine> engine, Parts parts, Conversation start)
    : engine_(std::move(engine)),
      signals_(parts.signals),
      printer_(parts.printer),
      store_(parts.store),
      chat_(engine_),
      model_(start.model) {
  restore(std::move(start));
  restore_state();
}

int Repl::run(InputReader& reader) {
  bool asked = false;        // whether Ctrl-C was the last thing that happened
  bool interrupted = false;  // without a person at a terminal, who could say what to do instead
  while (!quitting_ && !signals_.leaving() && !interrupted) {
    const Input input = reader.read();
    if (input.kind == Input::Kind::kEnd) {
      if (printer_.conversing()) std::fputc('\n', stdout);
      leave();
      continue;
    }
    if (input.kind == Input::Kind::kInterrupt) {
      interrupted = !printer_.conversing();
      if (interrupted) continue;
      if (asked && !input.had_text) {
        leave();
        continue;
      }
      asked = true;
      printer_.note("(Ctrl-C again or Ctrl-D leaves)");
      continue;
    }
    asked = false;
    if (const auto command = parse_command(input.text)) {
      run_command(command->name, command->argument);
    } else {
      send(input.text);
    }
    interrupted = !printer_.conversing() && signals_.interrupted();
  }
  if (!keep_state() || keeping_failed_ || lost_) exit_code_ = 1;
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    throw std::runtime_error("can't write the answers to standard output");
  }
  if (signals_.leaving()) return kSignalStatus + *signals_.leaving();
  return interrupted ? kInterruptStatus : exit_code_;
}

void Repl::leave() { quitting_ = may_go("Leaving"); }

bool Repl::may_go(std::string_view deed) {
  if (!keeping_failed_) return true;
  keeping_failed_ = false;  // so that it complains again
  keep();
  if (!keeping_failed_ || !printer_.conversing() || asked_to_lose_ == deed) return true;
  printer_.say(fmt::format("{} would lose it. /save PATH keeps it elsewhere; {} again does it.",
                           deed, deed == "Leaving" ? "leaving" : deed));
  asked_to_lose_ = deed;
  return false;
}

void Repl::has_gone() {
  lost_ = lost_ || keeping_failed_;
  keeping_failed_ = false;
  asked_to_lose_.clear();
  unread_state_.clear();
}

void Repl::run_command(const std::string& name, const std::string& argument) {
  const Command* const command = find_command(name);
  try {
    if (command == nullptr) {
      throw std::runtime_error(fmt::format(
          "there is no command {}; /help lists them. A space in front makes it a message.", name));
    }
    if (command->arguments.empty() && !argument.empty()) {
      throw std::runtime_error(fmt::format("{} takes nothing behind it", name));
    }
    (this->*command->run)(argument);
  } catch (const std::exception& error) {
    printer_.complain(error.what());
    exit_code_ = printer_.conversing() ? 0 : 1;
  }
}

void Repl::send(const std::string& text) {
  if (is_blank(text) && attached_.empty()) return;
  chat_.say("user", fmt::format("{}{}", fmt::join(attached_, ""), text));
  if (answer("[stopped before the answer began; the message was taken back]")) {
    return attached_.clear();
  }
  chat_.messages.pop_back();
  if (!printer_.conversing()) std::fputc('\n', stdout);  // still one line for each line
}

bool Repl::answer(std::string_view if_stopped) {
  try {
    const std::size_t before = chat_.messages.size();
    const Generation generation = generate_answer();
    if (chat_.messages.size() == before) {
      printer_.note(if_stopped);
      return false;
    }
    report(generation);
    unread_state_.clear();
    keep();
    return true;
  } catch (const ContextFull& full) {
    explain_full_context(full);
  } catch (const std::bad_alloc&) {
    printer_.complain("there is not enough memory for a conversation this long");
  } catch (const std::exception& error) {
    printer_.complain(error.what());
  }
  exit_code_ = printer_.conversing() ? 0 : 1;
  return false;
}

Generation Repl::generate_answer() {
  const QuietTerminal quiet;
  chat_.render.thinking = thinks();
  text::Sampler sampler(settings_.sampling,
                        text::tokens_of(engine_->tokenizer(), engine_->vocab_size()));
  sampler.set_draws(settings_.draws);
  ProgressLine progress("reading", ProgressLine::Unit::kTokens);
  AnswerPrinter printer(printer_, settings_.fold_thinking);
  GenerationEvents events;
  events.interrupted = [&] {
    if (signals_.take_redraw()) quiet.apply();
    return signals_.interrupted() || signals_.leaving();
  };
  events.on_prefill = [&](int done, int total) {
    progress.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  };
  events.on_text = [&](Channel channel, std::string_view text) {
    progress.clear();
    printer.text(channel, text);
  };
  GenerationOptions options;
  options.max_tokens = settings_.max_tokens;
  options.stops = settings_.stops;
  const std::size_t before = chat_.messages.size();
  Generation generation;
  try {
    generation = chat_.answer(sampler, options, events);
  } catch (...) {  // possibly amid a line: there is no memory for more of it
    if (printer_.conversing()) printer.finish();
    throw;
  }
  progress.clear();
  if (chat_.messages.size() > before) {
    if (!generation.tool_calls.empty()) {
      printer.tool_calls(formats::json_text(tool_calls_json(generation.tool_calls)));
    }
    printer.finish();
  }
  settings_.draws = sampler.draws();
  if (printer_.conversing()) signals_.clear_interrupt();  // otherwise it ends run()
  return generation;
}

void Repl::report(const Generation& generation) {
  const auto n_generated = static_cast<int>(generation.tokens.size());
  ++totals_.answers;
  totals_.prompt_tokens += generation.prompt_tokens;
  totals_.generated_tokens += n_generated;
  totals_.prefill_seconds += generation.prefill_seconds;
  totals_.decode_seconds += generation.decode_seconds;
  const Session& session = chat_.session();
  const bool full = session.position() >= session.capacity();
  if (generation.finish == Finish::kInterrupt) {
    printer_.note("[stopped; what was said is kept. /regen answers anew, /undo takes it back]");
  } else if (generation.finish == Finish::kError) {
    printer_.complain(generation.error);
    printer_.note("[the answer ends here; what was said is kept. /undo takes it back]");
    exit_code_ = printer_.conversing() ? 0 : 1;
  } else if (generation.finish == Finish::kLength && full) {
    printer_.note(fmt::format(
        "[the context of {} tokens is full, so the answer ends here. /undo makes room, /clear "
        "begins a new conversation; --context N gives more where the model allows it]",
        session.capacity()));
  } else if (generation.finish == Finish::kLength) {
    printer_.note(
        fmt::format("[cut off after {} tokens; /set max-tokens 0 lets it speak]", n_generated));
  }
  printer_.note(fmt::format(
      "[read {} tokens, {:.1f}/s · wrote {} tokens, {:.1f}/s · context {} of {}]",
      generation.prompt_tokens, per_second(generation.prompt_tokens, generation.prefill_seconds),
      n_generated, per_second(n_generated, generation.decode_seconds), session.position(),
      session.capacity()));
}

void Repl::explain_full_context(const ContextFull& full) {
  printer_.complain(fmt::format(
      "With this message the conversation has {} tokens, but the context holds {}. The message "
      "was not sent.\n/undo takes back {}; /clear begins a new conversation{}.\n"
      "--context N at the start gives more room, where the model allows it.",
      full.tokens, full.capacity,
      attached_.empty()       ? "the last exchange and makes room"
      : attached_.size() == 1 ? "the file that waits for it"
                              : "the files that wait for it",
      store_.is_kept() ? " (this one stays as " + store_.name() + ")" : ""));
}

void Repl::keep() {
  // A pipe's conversation is kept only if it was asked for by name.
  if (store_.name().empty() && !printer_.conversing()) return;
  try {
    const std::string before = store_.name();
    store_.save(conversation());
    if (!before.empty() && store_.name() != before) {
      printer_.say(
          fmt::format("[another leyden wrote {}; this one is kept as {}]", before, store_.name()));
    }
    keeping_failed_ = false;
    asked_to_lose_.clear();
  } catch (const std::exception& error) {
    if (!keeping_failed_) printer_.complain(fmt::format("can't keep this: {}", error.what()));
    keeping_failed_ = true;
  }
}

void Repl::keep_change() {
  if (!store_.name().empty()) keep();
}

bool Repl::keep_state() {
  const std::filesystem::path file = store_.state_file();
  if (file.empty() || file == unread_state_ || !store_.may_save()) return true;
  try {
    if (std::filesystem::exists(file) && !is_session(file)) {
      throw std::runtime_error(file.string() + " is no session of leyden's, and stays as it is");
    }
    if (chat_.messages.empty()) {
      std::filesystem::remove(file);
      return true;
    }
    chat_.render.thinking = thinks();
    chat_.forget_what_is_gone();
    if (chat_.session().position() > 0) {
      chat_.session().save(file);
    } else {
      std::filesystem::remove(file);  // one of what was taken back
    }
    return true;
  } catch (const text::ChatError&) {  // a conversation had with a model of another chat format
    return true;
  } catch (const std::exception& error) {  // the text is kept, and the state can be computed again
    printer_.complain(fmt::format("the computed state can't be kept: {}", error.what()));
    return false;
  }
}

void Repl::restore_state() {
  const std::filesystem::path file = store_.state_file();
  std::error_code unreadable;
  if (file.empty() || !std::filesystem::exists(file, unreadable)) return;
  try {
    chat_.session().load(file);
    printer_.note(fmt::format("[{} tokens needn't be read again]", chat_.session().position()));
  } catch (const std::exception& error) {
    unread_state_ = file;
    printer_.note(fmt::format("[it will be read again: {}]", error.what()));
  }
}

bool Repl::thinks() const {
  const text::Thinking possible = text::thinking_of(chat_.format());
  if (possible == text::Thinking::kByChoice) return settings_.thinking;
  return possible == text::Thinking::kAlways;
}

std::size_t Repl::conversation_tokens() {
  if (chat_.messages.empty()) return 0;
  chat_.render.thinking = thinks();
  try {
    return chat_.n_tokens();
  } catch (const text::ChatError&) {  // had with a model of another chat format
    return 0;
  }
}

Conversation Repl::conversation() const { return {model_, chat_.messages, settings_}; }

void Repl::restore(Conversation start) {
  chat_.messages = std::move(start.messages);
  if (start.settings) {
    settings_ = std::move(*start.settings);
  } else {
    const std::uint64_t seed = settings_.sampling.seed;
    settings_ = {};
    settings_.sampling = engine_->recommended_sampling();
    settings_.sampling.seed = seed;
  }
  attached_.clear();
}

}  // namespace leyden::tools
