#include "tools/repl/completion.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace leyden::tools {
namespace {

/// Where the last word of `text` begins.
std::size_t start_of_word(std::string_view text) {
  for (const std::string_view command : {"/save -f ", "/save ", "/load ", "/file "}) {
    if (text.starts_with(command)) return command.size();
  }
  const std::size_t space = text.find_last_of(" \n");
  return space == std::string_view::npos ? 0 : space + 1;
}

}  // namespace

Completion complete(std::string_view text, const Completer& completer) {
  const std::size_t start = start_of_word(text);
  const std::string_view word = text.substr(start);
  std::vector<std::string> found = completer(text.substr(0, start), word);
  if (found.empty()) return {};
  std::ranges::sort(found);
  // Sorted, so what the first and the last share, all share.
  const auto [differs, unused] = std::ranges::mismatch(found.front(), found.back());
  std::string shared(found.front().begin(), differs);
  // Never half a character.
  while (differs != found.front().end() && !shared.empty() &&
         (static_cast<unsigned char>(found.front()[shared.size()]) & 0xC0) == 0x80) {
    shared.pop_back();
  }
  Completion result;
  if (shared.size() > word.size()) result.insert = shared.substr(word.size());
  if (found.size() == 1) {
    if (!found.front().ends_with('/')) result.insert += ' ';
  } else if (result.insert.empty()) {
    result.candidates = std::move(found);
  }
  return result;
}

std::string expand_home(std::string_view path) {
  const char* const home = std::getenv("HOME");
  if (home == nullptr || !path.starts_with("~/")) return std::string(path);
  return home + std::string(path.substr(1));
}

std::vector<std::string> matching_paths(std::string_view word) {
  const std::size_t slash = word.rfind('/');
  const std::string folder(slash == std::string_view::npos ? "" : word.substr(0, slash + 1));
  const std::string_view name = word.substr(folder.size());
  std::vector<std::string> found;
  std::error_code unreadable;
  std::filesystem::directory_iterator entries(folder.empty() ? "." : expand_home(folder),
                                              unreadable);
  for (; !unreadable && entries != std::filesystem::directory_iterator();
       entries.increment(unreadable)) {
    const std::string entry = entries->path().filename().string();
    if (!entry.starts_with(name) || (entry.starts_with('.') && name.empty())) continue;
    std::error_code gone;
    found.push_back(folder + entry + (entries->is_directory(gone) ? "/" : ""));
  }
  return found;
}

std::vector<std::string> matching_words(const std::vector<std::string>& words,
                                        std::string_view word) {
  std::vector<std::string> found;
  std::ranges::copy_if(words, std::back_inserter(found),
                       [&](const std::string& candidate) { return candidate.starts_with(word); });
  return found;
}

}  // namespace leyden::tools
