#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "formats/input_file.h"

namespace leyden::formats {

/// A file mapped into memory for reading, without a copy. The pages are the page cache's own: small
/// ones, so reading weights through a mapping is slower than from huge-page memory
/// (docs/design.md). Beware: a file that shrinks while it is mapped ends the program with SIGBUS.
class MappedFile {
 public:
  /// Errors: LoadError as InputFile's, or if there is no address space left.
  explicit MappedFile(const std::filesystem::path& path) : MappedFile(InputFile(path)) {}
  /// The mapping outlives `file`.
  explicit MappedFile(const InputFile& file);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::string& name() const { return name_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
};

}  // namespace leyden::formats
