#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tests/mutation/mutate.h"

namespace leyden::mutation {

/// A good model, from which broken ones are made.
class Model {
 public:
  /// path: a checkpoint directory, a container or a GGUF file.
  explicit Model(const std::filesystem::path& path);

  /// Writes a copy into `directory`, broken by `mutator` in one or two places, and returns the path
  /// to give to the program. Half of what is broken in a container has its checksums put right
  /// again, since else none of it would get past them.
  std::filesystem::path write_broken(const std::filesystem::path& directory,
                                     Mutator& mutator) const;

 private:
  bool is_directory_;
  std::map<std::string, std::string> files_;  // contents by name
};

}  // namespace leyden::mutation
