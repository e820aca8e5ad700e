#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>

namespace leyden::formats {

/// A file that can't be written: "FILE: WHAT".
class WriteError : public std::runtime_error {
 public:
  WriteError(const std::string& file, const std::string& what)
      : std::runtime_error(file + ": " + what) {}
};

/// A file that comes into being whole or not at all: it grows as PATH.partial, and commit() makes
/// it durable and gives it its name. Without commit() nothing is left behind. Any number of threads
/// may write and read different parts at once.
class OutputFile {
 public:
  /// Creates PATH.partial with `size` zero bytes, reserving the space where the file system can.
  /// It may grow. mode: who may read it, as open(2) takes it.
  /// Errors: WriteError if the place can't be written, is a directory, hasn't the space, or if
  ///         another process is writing the same file.
  OutputFile(const std::filesystem::path& path, std::uint64_t size, unsigned mode = 0644);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Errors: WriteError, a full disk among them.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Reads back what was written. Errors: WriteError.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

  /// Syncs the data, renames PATH.partial to PATH and syncs the directory. To be called once.
  /// Errors: WriteError; PATH is then as it was before, unless only the last sync failed.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& action) const;

  std::filesystem::path path_;
  std::filesystem::path partial_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace leyden::formats
