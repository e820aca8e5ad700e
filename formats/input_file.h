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

}  // namespace leyden::formats
