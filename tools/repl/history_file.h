#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace leyden::tools {

/// What was typed, kept over restarts: one entry a line, newlines and backslashes escaped. Entries
/// are appended as they come, so several programs at once lose nothing.
class HistoryFile {
 public:
  /// path: empty for a history that isn't kept.
  explicit HistoryFile(std::filesystem::path path) : path_(std::move(path)) {}

  /// The last entries, oldest first; none if there is no file. A file grown to twice the number
  /// that is loaded is cut to it.
  std::vector<std::string> load();
  /// Returns false if the file can't be written.
  bool append(const std::string& entry);

 private:
  std::filesystem::path path_;
};

}  // namespace leyden::tools
