#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace leyden::formats {

/// A regular file open for reading by offset. Any number of threads may read at once.
class InputFile {
 public:
  /// Errors: LoadError if the file is missing, a directory, no regular file, empty or unreadable.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  /// As given to the constructor; error messages begin with it.
  const std::string& name() const { return name_; }
  /// When it was opened.
  std::uint64_t size() const { return size_; }
  int descriptor() const { return descriptor_; }

  /// Fills `to` with the bytes from `offset` on.
  /// Errors: LoadError if the file ends before that (it may have shrunk) or can't be read.
  void read_exact(std::uint64_t offset, std::span<std::byte> to) const;

 private:
  std::string name_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
};

/// What the file system says of a file, to tell whether it is still the same. Nanoseconds since
/// 1970.
struct FileState {
  bool is_there = false;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // when it was written; tools that copy files set it
  std::int64_t changed_ns = 0;   // when anything of it changed, rights or name too; nobody sets it
};

/// Of what the path leads to. Nothing is there if it can't be asked for.
FileState file_state(const std::filesystem::path& path);

}  // namespace leyden::formats
