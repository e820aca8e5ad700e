#pragma once

#include <stdexcept>
#include <string>

namespace leyden::formats {

/// A file that can't be used, said in one sentence or two: file, tensor or field, offset, what was
/// found, what was expected and where the expectation comes from. Thrown by everything that reads
/// files; never after loading.
class LoadError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// "FILE: WHAT"
  LoadError(const std::string& file, const std::string& what)
      : std::runtime_error(file + ": " + what) {}
};

}  // namespace leyden::formats
