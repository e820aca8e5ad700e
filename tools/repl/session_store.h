#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/conversation_file.h"

namespace leyden::tools {

/// $XDG_STATE_HOME/leyden or ~/.local/state/leyden, made if it isn't there and private.
/// Errors: std::runtime_error if there is no such place or it can't be made.
std::filesystem::path state_directory();

/// The conversations on disk, one file each, and which of them the present one is kept in. No file
/// is ever written over that this program hasn't itself read or written last.
class SessionStore {
 public:
  /// directory: of the conversations that have a name; empty if there is no place for them, or they
  /// aren't to be kept. save() then keeps only one that has a path.
  /// only_if_asked: and that only once save_as() was asked for it.
  SessionStore(std::filesystem::path directory, bool only_if_asked)
      : directory_(std::move(directory)), only_if_asked_(only_if_asked) {}

  struct Entry {
    std::string name;
    std::filesystem::path file;
    std::filesystem::file_time_type changed;
  };
  /// Newest first.
  std::vector<Entry> list() const;
  /// The newest but the present one, passing over those in which nothing has been said.
  std::optional<Entry> newest() const;

  /// The name of the present conversation; empty before it is first saved.
  const std::string& name() const { return name_; }
  bool keeps() const { return !directory_.empty(); }
  /// Whether save() may write the present conversation.
  bool may_save() const { return !only_if_asked_ || asked_; }
  /// Whether the present conversation lies on disk, and what is added to it will.
  bool is_kept() const { return known_.has_value() && may_save(); }
  /// Where the present conversation's computed state goes, beside its text: NAME.kv for NAME.json,
  /// PATH.kv for a path. Empty where there is no text, or somebody else has changed it.
  std::filesystem::path state_file() const;

  /// The next conversation gets a name of its own when it is saved.
  void begin();
  /// Keeps the present conversation under its name, or another if somebody else has changed the
  /// file. One in which nothing is said (any more) loses its file, if the name is the time it began
  /// and nobody else has changed it; should more be said, it has its name again.
  /// Errors: formats::WriteError.
  void save(const Conversation& conversation);
  /// Keeps the present conversation under this name, or path, from now on, and no longer under the
  /// time it began.
  /// Errors: formats::WriteError; std::runtime_error for a name that can't be one, and for one
  ///         that another conversation has, unless `replace`.
  void save_as(const std::string& name, const Conversation& conversation, bool replace);
  /// Reads the conversation of this name, or at this path, and makes it the present one, unless
  /// `check` throws.
  /// Errors: formats::LoadError, std::runtime_error, those of `check`; the present one then stays.
  Conversation load(const std::string& name,
                    const std::function<void(const Conversation&)>& check = {});

 private:
  /// A file as it was at a time: whoever writes it makes another one.
  struct Stamp {
    std::uint64_t inode;
    std::int64_t seconds, nanoseconds;
    bool operator==(const Stamp&) const = default;
  };
  static std::optional<Stamp> stamp_of(const std::filesystem::path& file);

  std::filesystem::path file_of(const std::string& name) const;
  void take(const std::string& name, const std::filesystem::path& file,
            const std::optional<Stamp>& stamp);
  /// Whether it is kept under the time it began, and no person asked for that.
  bool is_unnamed() const;
  void forget();

  std::filesystem::path directory_;
  bool only_if_asked_, asked_ = false;
  std::string name_;
  std::filesystem::path file_;
  std::optional<Stamp> known_;  // of file_ when we last read or wrote it
};

}  // namespace leyden::tools
