// The commands that look at the conversation or change it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <stdexcept>

#include "formats/json.h"
#include "formats/model_config.h"
#include "formats/utf8.h"
#include "src/engine.h"
#include "tools/repl/completion.h"
#include "tools/repl/repl.h"
#include "tools/repl/session_summary.h"
#include "tools/repl/settings.h"
#include "tools/repl/system_prompt.h"
#include "tools/terminal.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;
constexpr int kExcerptMargin = 24;  // columns for the words around an excerpt

}  // namespace

void Repl::set_system(const std::string& argument) {
  if (argument.empty()) {
    const std::string prompt = system_prompt(chat_.messages);
    return printer_.say(prompt.empty() ? "there is no system prompt" : prompt);
  }
  const bool removed = argument == "\"\"";
  set_system_prompt(removed ? "" : argument, chat_.messages);
  unread_state_.clear();
  printer_.note(removed ? "[the system prompt is gone]"
                        : "[the system prompt is set; it holds for the whole conversation]");
  keep_change();
}

void Repl::undo(const std::string&) {
  if (!attached_.empty()) {  // or a file that is too long could only be got rid of with /clear
    const std::size_t n = attached_.size();
    attached_.clear();
    return printer_.note(
        n == 1 ? "[taken back: the file that waited for your next message]"
               : fmt::format("[taken back: the {} files that waited for your next message]", n));
  }
  auto& messages = chat_.messages;
  std::size_t last = messages.size();
  while (last > 0 && messages[last - 1].role != "user") --last;
  if (last == 0) throw std::runtime_error("there is no message to take back");
  const std::string taken = messages[last - 1].content.value_or("");
  messages.resize(last - 1);
  unread_state_.clear();
  printer_.note(
      fmt::format("[taken back: {}]", excerpt(taken, terminal_columns() - kExcerptMargin)));
  keep_change();
}

void Repl::regenerate(const std::string&) {
  auto& messages = chat_.messages;
  if (messages.empty() || messages.back().role != "assistant") {
    throw std::runtime_error("there is no answer to make anew");
  }
  text::Message old = std::move(messages.back());
  messages.pop_back();
  if (answer("[stopped before the answer began]")) return;
  messages.push_back(std::move(old));
  printer_.note("[the earlier answer stays]");
}

void Repl::attach_file(const std::string& argument) {
  if (argument.empty()) throw std::runtime_error("/file needs the path of a text file");
  const std::string path = expand_home(argument);
  const std::string bytes = formats::read_regular_file(path, kMaxFileBytes);
  if (bytes.find('\0') != std::string::npos) {
    throw std::runtime_error(path + ": is no text: there are zero bytes in it");
  }
  const std::string content = formats::utf8_replace_invalid(bytes);
  if (content.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw std::runtime_error(path + ": is empty");
  }
  // The frame that DeepSeek's own chat puts around an uploaded file.
  attached_.push_back(fmt::format("[file name]: {}\n[file content begin]\n{}{}[file content end]\n",
                                  std::filesystem::path(path).filename().string(), content,
                                  content.ends_with('\n') ? "" : "\n"));
  printer_.note(
      fmt::format("[{}: {} tokens; they go before your next message, Enter sends them alone]", path,
                  engine_->tokenizer().encode_text(content).size()));
  const std::size_t waiting =
      engine_->tokenizer().encode_text(fmt::format("{}", fmt::join(attached_, ""))).size();
  const auto capacity = static_cast<std::size_t>(chat_.session().capacity());
  if (conversation_tokens() + waiting > capacity) {
    printer_.note(fmt::format(
        "[that doesn't fit: with it the conversation has {} tokens, but the context holds {}. "
        "/undo takes it back]",
        conversation_tokens() + waiting, capacity));
  }
}

std::string Repl::last_reasoning() const {
  for (auto message = chat_.messages.rbegin(); message != chat_.messages.rend(); ++message) {
    if (message->role == "assistant") return message->reasoning_content;
  }
  return "";
}

std::string Repl::model_name() const { return model_.empty() ? "leyden's demo model" : model_; }

std::string Repl::transcript() const {
  std::string text;
  for (const text::Message& message : chat_.messages) {
    if (!text.empty()) text += "\n";
    text += shown_message(message.role + ": ", message, printer_) + "\n";
  }
  if (!text.empty()) text.pop_back();
  return text;
}

void Repl::show(const std::string& argument) {
  if (argument == "system") return set_system("");
  if (argument == "settings") return set("");
  if (argument == "model") {
    return printer_.say(fmt::format("{}: {}, {} layers, context {} tokens, chat format {}",
                                    model_name(), name(engine_->config().architecture),
                                    engine_->config().num_hidden_layers, chat_.session().capacity(),
                                    name(chat_.format())));
  }
  if (argument == "thinking") {
    const std::string thoughts = last_reasoning();
    return printer_.say(thoughts.empty() ? "the last answer came without thinking"
                                         : printer_.wrapped("", thoughts));
  }
  if (!argument.empty() && argument != "conversation") {
    throw std::runtime_error("/show " + argument +
                             ": expected nothing, thinking, system, settings or model");
  }
  printer_.say(chat_.messages.empty() ? "nothing has been said" : transcript());
  if (attached_.size() == 1) printer_.note("[a file waits for your next message]");
  if (attached_.size() > 1) {
    printer_.note(fmt::format("[{} files wait for your next message]", attached_.size()));
  }
}

}  // namespace leyden::tools
