#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/chat.h"
#include "src/conversation_file.h"
#include "tools/repl/input_reader.h"
#include "tools/repl/printer.h"
#include "tools/repl/session_store.h"
#include "tools/repl/signals.h"

namespace leyden::tools {

/// A conversation at a terminal or through a pipe: reads messages and commands, shows answers,
/// keeps everything on disk.
class Repl {
 public:
  struct Parts {  // outlive the Repl
    Signals& signals;
    const Printer& printer;
    SessionStore& store;
  };
  /// start: a conversation to go on with, or an empty one with the settings to use.
  Repl(std::shared_ptr<const Engine> engine, Parts parts, Conversation start);

  /// Talks until the input ends or /quit. Returns the exit status.
  int run(InputReader& reader);

  /// For the Completer: what may follow `before`.
  std::vector<std::string> complete(std::string_view before, std::string_view word) const;

  // Commands, see commands.cc. The argument has no space around it.
  void help(const std::string& argument);
  void clear(const std::string& argument);
  void set_system(const std::string& argument);
  void set(const std::string& argument);
  void think(const std::string& argument);
  void show(const std::string& argument);
  void undo(const std::string& argument);
  void regenerate(const std::string& argument);
  void attach_file(const std::string& argument);
  void save(const std::string& argument);
  void load(const std::string& argument);
  void list_sessions(const std::string& argument);
  void show_stats(const std::string& argument);
  void quit(const std::string& argument);

 private:
  struct Totals {
    int answers = 0, prompt_tokens = 0, generated_tokens = 0;
    double prefill_seconds = 0, decode_seconds = 0;
  };

  void send(const std::string& text);
  /// Answers the last message and keeps the conversation. False if there is no answer, and the
  /// messages are as they were; `if_stopped` is the note for one stopped before it began.
  bool answer(std::string_view if_stopped);
  Generation generate_answer();
  void report(const Generation& generation);
  void explain_full_context(const ContextFull& full);
  void run_command(const std::string& name, const std::string& argument);
  void keep();
  /// What a command has changed, once the conversation has a file.
  void keep_change();
  /// What the model has computed of the conversation, so that it needn't be read again. False, with
  /// a complaint, if it can't be kept.
  bool keep_state();
  /// Ends run(), if the conversation may go.
  void leave();
  /// Whether the conversation may be left for good by `deed` ("Leaving", "/clear"): it is kept,
  /// perhaps by trying once more; or it can't be, and whoever sits there was told so before.
  bool may_go(std::string_view deed);
  /// The conversation has been left: another one is the present one.
  void has_gone();
  void restore_state();
  /// With the settings it has; without, with the model's recommendation and the present seed.
  void restore(Conversation conversation);
  Conversation conversation() const;
  std::string transcript() const;
  std::string model_name() const;
  /// Of the last answer, or empty.
  std::string last_reasoning() const;
  /// Whether answers come with thinking, as far as the model leaves a choice.
  bool thinks() const;
  /// How many tokens the next message finds before it, whether they have been read yet or not.
  std::size_t conversation_tokens();

  std::shared_ptr<const Engine> engine_;
  Signals& signals_;
  const Printer& printer_;
  SessionStore& store_;
  Chat chat_;
  ConversationSettings settings_;
  std::string model_;                  // path, for the file
  std::vector<std::string> attached_;  // texts of /file, for the next message
  /// A state that couldn't be restored (another --kv-cache, say), and whose conversation is still
  /// as it was then: it may serve another time, so nothing is put in its place.
  std::filesystem::path unread_state_;
  Totals totals_;
  bool quitting_ = false, keeping_failed_ = false;
  bool lost_ = false;          // a conversation that couldn't be kept
  std::string asked_to_lose_;  // by which deed, if that was the last to be refused
  int exit_code_ = 0;
};

}  // namespace leyden::tools
