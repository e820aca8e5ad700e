#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "formats/json.h"

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

/// The bytes of a small file that has to be a regular one: reading a named pipe would wait for
/// somebody to write into it. Errors: LoadError, as read_text_file().
std::string read_regular_file(const std::filesystem::path& path,
                              std::size_t max_bytes = JsonLimits{}.max_bytes);

}  // namespace leyden::formats
