#include "tools/repl/session_store.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

#include "tools/repl/completion.h"
#include "tools/repl/visible_text.h"

namespace leyden::tools {
namespace {

namespace fs = std::filesystem;
constexpr const char* kExtension = ".json";

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(kExtension);
}

std::string name_by_time() {
  std::tm local = {};
  const std::time_t now = std::time(nullptr);
  ::localtime_r(&now, &local);
  return fmt::format("{:%Y-%m-%d-%H%M%S}", local);
}

bool is_there(const fs::path& file) {
  std::error_code unreadable;
  return fs::exists(file, unreadable);
}

bool is_file(const fs::path& file) {
  std::error_code unreadable;
  return fs::is_regular_file(file, unreadable);
}

std::optional<fs::file_time_type> time_of(const fs::path& file) {
  std::error_code missing;
  const auto time = fs::last_write_time(file, missing);
  if (missing) return std::nullopt;
  return time;
}

}  // namespace

fs::path state_directory() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  fs::path directory;
  if (state != nullptr && *state == '/') {
    directory = state;
  } else if (home != nullptr && *home != '\0') {
    directory = fs::path(home) / ".local" / "state";
  } else {
    throw std::runtime_error("neither XDG_STATE_HOME nor HOME says where");
  }
  directory /= "leyden";
  fs::create_directories(directory / "sessions");
  fs::permissions(directory, fs::perms::owner_all);
  return directory;
}

std::vector<SessionStore::Entry> SessionStore::list() const {
  std::vector<Entry> entries;
  std::error_code unreadable;
  if (!keeps()) return entries;
  for (fs::directory_iterator at(directory_, unreadable);
       !unreadable && at != fs::directory_iterator(); at.increment(unreadable)) {
    const fs::path& file = at->path();
    if (file.extension() != kExtension || !is_file(file)) continue;
    if (const auto changed = time_of(file)) {
      entries.push_back({file.stem().string(), file, *changed});
    }
  }
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.changed != b.changed ? a.changed > b.changed : a.name > b.name;
  });
  return entries;
}

std::optional<SessionStore::Entry> SessionStore::newest() const {
  for (Entry& entry : list()) {
    if (entry.file != file_) return std::move(entry);
  }
  return std::nullopt;
}

fs::path SessionStore::file_of(const std::string& name) const {
  if (is_path(name)) return expand_home(name);
  if (!keeps()) {
    throw std::runtime_error("conversations aren't kept now; give a path, as ./" + name + ".json");
  }
  if (name.empty() || name.starts_with('.') || name.starts_with('-') || name.size() > 200 ||
      visible(name) != name || name.find('\n') != std::string::npos) {
    throw std::runtime_error("'" + name + "' can't be the name of a conversation");
  }
  return directory_ / (name + kExtension);
}

void SessionStore::take(const std::string& name, const fs::path& file) {
  name_ = name;
  file_ = file;
  known_ = time_of(file);
}

fs::path SessionStore::state_file() const {
  return file_.empty() ? file_ : fs::path(file_).replace_extension(".kv");
}

void SessionStore::begin() {
  name_.clear();
  file_.clear();
  known_.reset();
}

void SessionStore::save(const Conversation& conversation) {
  if (!keeps() && name_.empty()) return;
  if (name_.empty()) {
    name_ = name_by_time();
    file_ = file_of(name_);
  }
  // A file of that name that we don't know: leave it alone, and look for a free name.
  const bool is_json = name_.ends_with(kExtension);
  const std::string base = is_json ? fs::path(name_).replace_extension().string() : name_;
  for (int n = 2; is_there(file_) && time_of(file_) != known_; ++n) {
    name_ = fmt::format("{}-{}{}", base, n, is_json ? kExtension : "");
    file_ = file_of(name_);
    known_.reset();
  }
  write_conversation(file_, conversation);
  known_ = time_of(file_);
}

void SessionStore::save_as(const std::string& name, const Conversation& conversation,
                           bool replace) {
  const fs::path file = file_of(name);
  if (std::error_code ignored; fs::is_directory(file, ignored)) {
    throw std::runtime_error(file.string() + ": is a directory, expected the name of a file");
  }
  if (file != file_ && is_there(file) && !replace) {
    throw std::runtime_error(fmt::format(
        "there is another conversation named {} already; /save -f {} replaces it", name, name));
  }
  write_conversation(file, conversation);
  take(name, file);
}

Conversation SessionStore::load(const std::string& name) {
  const fs::path file = file_of(name);
  if (!is_path(name) && !is_there(file)) {
    throw std::runtime_error(
        fmt::format("there is no conversation named {}; /sessions lists them", name));
  }
  Conversation conversation = read_conversation(file);
  take(name, file);
  return conversation;
}

}  // namespace leyden::tools
