// The commands that keep conversations and bring them back.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "src/engine.h"
#include "tools/repl/repl.h"
#include "tools/repl/session_summary.h"
#include "tools/repl/settings.h"

namespace leyden::tools {
namespace {

constexpr std::size_t kMaxListed = 20;
constexpr std::string_view kUnquoted = "_-./:,+@%";  // beside letters and digits

bool is_same_model(const std::string& path, const std::string& other) {
  std::error_code missing;
  return path == other || std::filesystem::equivalent(path, other, missing);
}

/// `text` as a shell has to be told it to make one word of it.
std::string shell_word(const std::string& text) {
  const auto is_plain = [](unsigned char c) {
    return c >= 0x80 || std::isalnum(c) != 0 ||
           kUnquoted.find(static_cast<char>(c)) != kUnquoted.npos;
  };
  if (std::ranges::all_of(text, is_plain)) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

}  // namespace

void Repl::clear(const std::string&) {
  if (!may_go("/clear")) return;
  has_gone();
  const std::string kept = store_.is_kept() ? store_.name() : "";
  std::erase_if(chat_.messages, [](const text::Message& m) { return m.role != "system"; });
  attached_.clear();
  store_.begin();
  printer_.note(kept.empty() ? "[a new conversation begins]"
                             : fmt::format("[a new conversation begins; /load {} takes up the one "
                                           "before]",
                                           kept));
}

void Repl::save(const std::string& argument) {
  const bool replace = argument == "-f" || argument.starts_with("-f ");
  std::string name = replace ? argument.substr(2) : argument;
  name.erase(0, std::min(name.size(), name.find_first_not_of(' ')));
  if (chat_.messages.empty()) throw std::runtime_error("nothing has been said that could be kept");
  if (name.empty() && !store_.may_save()) name = store_.name();
  if (!name.empty()) {
    store_.save_as(name, conversation(), replace);
  } else if (store_.keeps() || !store_.name().empty()) {
    store_.save(conversation());
    if (!store_.is_kept()) throw std::runtime_error("nothing has been said that could be kept");
  } else {
    throw std::runtime_error("conversations aren't kept now; give a path, as /save ./talk.json");
  }
  keeping_failed_ = false;
  asked_to_lose_.clear();
  keep_state();
  printer_.note(fmt::format("[kept as {}; leyden chat --resume {} goes on with it]", store_.name(),
                            shell_word(store_.name())));
}

void Repl::load(const std::string& argument) {
  std::string name = argument;
  if (name.empty()) {
    const auto newest = store_.newest();
    if (!newest) throw std::runtime_error("there is no other conversation");
    name = newest->name;
  }
  if (!may_go("/load")) return;
  Conversation loaded = store_.load(name, [&](const Conversation& conversation) {
    check_logit_bias(name, conversation, engine_->vocab_size());
  });
  has_gone();
  const std::string model = loaded.model;
  restore(std::move(loaded));
  restore_state();
  printer_.note(summary(name, conversation()));
  if (!is_same_model(model, model_)) {
    printer_.note(fmt::format("[it was had with {}; {} goes on]",
                              model.empty() ? "leyden's demo model" : model, model_name()));
  }
  const std::string last = last_exchange(conversation(), printer_);
  if (!last.empty()) printer_.say(last);
}

void Repl::list_sessions(const std::string&) {
  const auto entries = store_.list();
  if (entries.empty()) return printer_.say("no conversation has been kept");
  std::string text;
  for (const SessionStore::Entry& entry : entries) {
    if (&entry - entries.data() == kMaxListed) {
      text += fmt::format("  and {} older ones\n", entries.size() - kMaxListed);
      break;
    }
    const char mark = entry.name == store_.name() ? '*' : ' ';
    text += fmt::format("{} {}\n", mark, list_row(entry.name, entry.file));
  }
  text.pop_back();
  printer_.say(text);
}

}  // namespace leyden::tools
