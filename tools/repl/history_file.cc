#include "tools/repl/history_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <span>

#include "formats/output_file.h"

namespace leyden::tools {
namespace {

constexpr std::size_t kMaxEntries = 1000;

std::string escaped(const std::string& entry) {
  std::string out;
  for (const char c : entry) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out + "\n";
}

std::string unescaped(const std::string& line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      out.push_back(line[++i] == 'n' ? '\n' : line[i]);
    } else {
      out.push_back(line[i]);
    }
  }
  return out;
}

void rewrite(const std::filesystem::path& path, const std::vector<std::string>& entries) {
  std::string text;
  for (const std::string& entry : entries) text += escaped(entry);
  try {
    formats::OutputFile file(path, text.size(), 0600);
    file.write(0, std::as_bytes(std::span(text)));
    file.commit();
  } catch (const std::exception&) {
    return;  // the long file is as good
  }
}

}  // namespace

std::vector<std::string> HistoryFile::load() {
  std::vector<std::string> entries;
  std::error_code missing;
  if (!std::filesystem::is_regular_file(path_, missing)) return entries;
  std::ifstream in(path_, std::ios::binary);
  for (std::string line; std::getline(in, line);) entries.push_back(unescaped(line));
  if (entries.size() <= kMaxEntries) return entries;
  const bool grown = entries.size() > 2 * kMaxEntries;
  entries.erase(entries.begin(), entries.end() - kMaxEntries);
  if (grown) rewrite(path_, entries);
  return entries;
}

bool HistoryFile::append(const std::string& entry) {
  if (path_.empty()) return true;
  const int descriptor = ::open(
      path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return false;
  const std::string line = escaped(entry);
  const bool written =
      ::write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  ::close(descriptor);
  return written;
}

}  // namespace leyden::tools
