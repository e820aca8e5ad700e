#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/input_file.h"

namespace leyden {

/// A checkpoint's files as they are when a conversion begins.
class SourceFiles {
 public:
  explicit SourceFiles(const formats::Checkpoint& checkpoint);

  /// Tells them from others, but for the folder they lie in, which may be moved. Pieces of a
  /// damaged file must not be kept when a sound one takes its place, whatever time it was given.
  std::string identity() const;

  /// Errors: LoadError naming a file that was written, removed or replaced meanwhile.
  void check_unchanged() const;

 private:
  std::vector<std::pair<std::filesystem::path, formats::FileState>> states_;
};

}  // namespace leyden
