#include "tools/repl/session_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

#include "tools/repl/completion.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

namespace fs = std::filesystem;
constexpr const char* kExtension = ".json";
constexpr const char* kStateExtension = ".kv";
constexpr const char* kTimeFormat = "%Y-%m-%d-%H%M%S";
constexpr std::string_view kTimeDigits = "0000-00-00-000000";  // with each digit made a zero

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(kExtension);
}

std::string name_by_time() {
  std::tm local = {};
  const std::time_t now = std::time(nullptr);
  ::localtime_r(&now, &local);
  std::array<char, 32> name = {};
  std::strftime(name.data(), name.size(), kTimeFormat, &local);
  return name.data();
}

/// Whether it is a name as we give them: a time, perhaps with the "-2" of save() behind it.
bool is_by_time(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c >= '0' && c <= '9'; }, '0');
  if (!name.starts_with(kTimeDigits)) return false;
  name.erase(0, kTimeDigits.size());
  return name.empty() || (name.starts_with("-0") && name.find_first_not_of('0', 1) == name.npos);
}

bool has_been_talked_in(const Conversation& conversation) {
  return std::ranges::find(conversation.messages, "user", &text::Message::role) !=
         conversation.messages.end();
}

/// False only for a conversation that can be read and in which nothing has been said.
bool may_be_gone_on_with(const fs::path& file) {
  try {
    return has_been_talked_in(read_conversation(file));
  } catch (const std::exception&) {
    return true;  // whoever wants to go on with it should hear what is wrong
  }
}

/// While one exists, no other leyden writes into the folder, so that none of two that look at a
/// file and then write it comes between. Without locks on that file system, or when the other has
/// been stopped, it does nothing.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder)
      : descriptor_(
            ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    constexpr int kTries = 40;  // two seconds; writing a conversation takes milliseconds
    for (int n = 0; n < kTries && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; ++n) {
      if (errno != EWOULDBLOCK) return;
      ::usleep(50'000);
    }
  }
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

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
  const fs::path sessions = directory / "sessions";
  std::error_code problem;
  fs::create_directories(sessions, problem);
  if (!fs::is_directory(sessions, problem)) {
    throw std::runtime_error(
        fmt::format("{}: {}", sessions.string(),
                    problem ? problem.message() : "is there already and is no folder"));
  }
  fs::permissions(directory, fs::perms::owner_all, problem);  // on a read-only disk they stay
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
    if (entry.file != file_ && may_be_gone_on_with(entry.file)) return std::move(entry);
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

std::optional<SessionStore::Stamp> SessionStore::stamp_of(const fs::path& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return Stamp{status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

void SessionStore::take(const std::string& name, const fs::path& file,
                        const std::optional<Stamp>& stamp) {
  name_ = name;
  file_ = file;
  known_ = stamp;
  asked_ = false;
}

fs::path SessionStore::state_file() const {
  if (!known_ || stamp_of(file_) != known_) return {};
  // A path is a person's choice, and NAME.kv beside it may be theirs, too.
  if (is_path(name_)) return file_.string() + kStateExtension;
  return fs::path(file_).replace_extension(kStateExtension);
}

bool SessionStore::is_unnamed() const { return !asked_ && is_by_time(name_); }

void SessionStore::forget() {
  if (known_ && stamp_of(file_) == known_) {
    std::error_code gone_already;
    fs::remove(state_file(), gone_already);
    fs::remove(file_, gone_already);
  }
  known_.reset();
}

void SessionStore::begin() {
  name_.clear();
  file_.clear();
  known_.reset();
  asked_ = false;
}

void SessionStore::save(const Conversation& conversation) {
  if (!may_save() || (!keeps() && name_.empty())) return;
  if (name_.empty()) {
    name_ = name_by_time();
    file_ = file_of(name_);
  }
  const FolderLock alone(file_.parent_path());
  if (is_unnamed() && !has_been_talked_in(conversation)) return forget();
  // A file of that name that we don't know: leave it alone, and look for a free name.
  const bool is_json = name_.ends_with(kExtension);
  const std::string base = is_json ? fs::path(name_).replace_extension().string() : name_;
  for (int n = 2; is_there(file_) && stamp_of(file_) != known_; ++n) {
    name_ = fmt::format("{}-{}{}", base, n, is_json ? kExtension : "");
    file_ = file_of(name_);
    known_.reset();
  }
  write_conversation(file_, conversation);
  known_ = stamp_of(file_);
}

void SessionStore::save_as(const std::string& name, const Conversation& conversation,
                           bool replace) {
  const fs::path file = file_of(name);
  if (std::error_code ignored; fs::is_directory(file, ignored)) {
    throw std::runtime_error(file.string() + ": is a directory, expected the name of a file");
  }
  const FolderLock alone(file.parent_path());
  const bool is_ours = file == file_ && stamp_of(file) == known_;
  if (is_there(file) && !is_ours && !replace) {
    throw std::runtime_error(fmt::format(
        "there is another conversation named {} already; /save -f {} replaces it", name, name));
  }
  write_conversation(file, conversation);
  if (file != file_ && is_unnamed()) forget();
  take(name, file, stamp_of(file));
  asked_ = true;
}

Conversation SessionStore::load(const std::string& name,
                                const std::function<void(const Conversation&)>& check) {
  const fs::path file = file_of(name);
  if (!is_path(name) && !is_there(file)) {
    throw std::runtime_error(
        fmt::format("there is no conversation named {}; /sessions lists them", name));
  }
  const auto stamp = stamp_of(file);  // before reading: what comes in between is somebody else's
  Conversation conversation = read_conversation(file);
  if (check) check(conversation);
  take(name, file, stamp);
  return conversation;
}

}  // namespace leyden::tools
