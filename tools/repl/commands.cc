#include "tools/repl/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tools/repl/completion.h"
#include "tools/repl/settings.h"
#include "tools/sampling_options.h"
#include "tools/token_list.h"
#include "tools/units.h"

namespace leyden::tools {
namespace {

constexpr std::array kCommands = {
    Command{"/help", "", "show this", &Repl::help},
    Command{"/clear", "", "begin anew; system prompt and settings stay", &Repl::clear},
    Command{"/system", "[TEXT]", "set the system prompt (\"\" removes it), or show it",
            &Repl::set_system},
    Command{"/set", "[NAME VALUE]", "change a setting of the answers, or list all", &Repl::set},
    Command{"/think", "[on|off|hide]", "think aloud, not at all, or folded into one line",
            &Repl::think},
    Command{"/show", "[SUBJECT]", "all of it, or: thinking, system, settings, model", &Repl::show},
    Command{"/undo", "", "take back the last exchange, or every waiting /file", &Repl::undo},
    Command{"/regen", "", "answer the last message anew", &Repl::regenerate},
    Command{"/file", "PATH", "put a file's text before the next message", &Repl::attach_file},
    Command{"/save", "[-f] [NAME]", "keep it under a name (-f: replace another)", &Repl::save},
    Command{"/load", "[NAME]", "go on with a kept one (default: the last)", &Repl::load},
    Command{"/sessions", "", "list the kept conversations", &Repl::list_sessions},
    Command{"/stats", "", "tokens and speed so far", &Repl::show_stats},
    Command{"/quit", "", "leave; so do Ctrl-D and Ctrl-C twice", &Repl::quit},
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kShortForms = {{
    {"/?", "/help"},
    {"/exit", "/quit"},
    {"/bye", "/quit"},
    {"/regenerate", "/regen"},
    {"/read", "/file"},
}};

constexpr const char* kKeys =
    "\nA message may have several lines: end a line with \\, press Alt-Enter, paste\n"
    "them, or put \"\"\" before and after. A space in front makes a message of what\n"
    "looks like a command. Ctrl-C stops an answer and keeps what was said. Up and\n"
    "Ctrl-R find what you typed before, Tab completes commands, names and paths.";

}  // namespace

std::span<const Command> all_commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  for (const auto& [form, full] : kShortForms) {
    if (form == name) name = full;
  }
  const auto found = std::ranges::find(kCommands, name, &Command::name);
  return found == kCommands.end() ? nullptr : &*found;
}

std::vector<std::string> Repl::complete(std::string_view before, std::string_view word) const {
  if (before.empty()) {
    std::vector<std::string> names;
    for (const Command& command : kCommands) names.emplace_back(command.name);
    return word.empty() ? std::vector<std::string>{} : matching_words(names, word);
  }
  if (before == "/set ") return matching_words(setting_names(), word);
  if (before == "/think ") return matching_words({"on", "off", "hide"}, word);
  if (before == "/show ") return matching_words({"thinking", "system", "settings", "model"}, word);
  if (before == "/file " || word.find('/') != word.npos) return matching_paths(word);
  if (before != "/load " && before != "/save " && before != "/save -f ") return {};
  std::vector<std::string> names;
  for (const SessionStore::Entry& entry : store_.list()) names.push_back(entry.name);
  return matching_words(names, word);
}

std::string help_text() {
  std::string text;
  for (const Command& command : kCommands) {
    text += fmt::format("  {:10}{:15}{}\n", command.name, command.arguments, command.help);
  }
  return text + kKeys;
}

void Repl::help(const std::string&) { printer_.say(help_text()); }

void Repl::quit(const std::string&) { leave(); }

void Repl::set(const std::string& argument) {
  if (argument.empty()) return printer_.say(show_settings(settings_));
  if (argument == "default") {
    const std::uint64_t seed = settings_.sampling.seed;
    settings_.sampling = engine_->recommended_sampling();
    settings_.sampling.seed = seed;
    printer_.note("[the model's own recommendation is set]");
    return keep_change();
  }
  const std::size_t end = std::min(argument.size(), argument.find_first_of(" =\t"));
  const std::string name = argument.substr(0, end);
  std::string value = argument.substr(end);
  const auto skip_blanks = [&value] {
    value.erase(0, std::min(value.size(), value.find_first_not_of(" \t")));
  };
  skip_blanks();
  if (value.starts_with('=')) value.erase(0, 1);  // a second one is part of the value
  skip_blanks();
  if (value.empty() && !is_list(name)) return printer_.say(show_setting(name, settings_));
  if (name == "logit-bias" && !value.empty()) {
    const text::TokenId token = parse_logit_bias(value, name).first;
    require_in_vocabulary({&token, 1}, engine_->vocab_size(), name);
  }
  change_setting(name, value, settings_);
  printer_.note(fmt::format("[{} is {}]", name, value.empty() ? "empty" : value));
  keep_change();
}

void Repl::think(const std::string& argument) {
  if (argument.empty()) {
    return printer_.say(!thinks()                 ? "thinking is off"
                        : settings_.fold_thinking ? "thinking is on, and hidden"
                                                  : "thinking is on");
  }
  if (argument != "on" && argument != "off" && argument != "hide") {
    throw std::runtime_error("/think " + argument + ": expected on, off or hide");
  }
  text::check_thinking(chat_.format(), argument != "off");
  settings_.thinking = argument != "off";
  settings_.fold_thinking = argument == "hide";
  printer_.note(argument == "off"  ? "[answers come without thinking]"
                : argument == "on" ? "[thoughts are shown before the answer]"
                                   : "[thoughts are folded; /show thinking shows the last ones]");
  keep_change();
}

void Repl::show_stats(const std::string&) {
  // What was taken back is computed still, should it be said again, but it is no part of this.
  const std::size_t context =
      std::min(static_cast<std::size_t>(chat_.session().position()), conversation_tokens());
  printer_.say(fmt::format(
      "answers   {}\nread      {} tokens in {:.2f} s, {:.1f} tokens/s\n"
      "wrote     {} tokens in {:.2f} s, {:.1f} tokens/s\ncontext   {} of {} tokens",
      totals_.answers, totals_.prompt_tokens, totals_.prefill_seconds,
      per_second(totals_.prompt_tokens, totals_.prefill_seconds), totals_.generated_tokens,
      totals_.decode_seconds, per_second(totals_.generated_tokens, totals_.decode_seconds), context,
      chat_.session().capacity()));
}

}  // namespace leyden::tools
