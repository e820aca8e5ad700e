#pragma once

#include <string>

#include "formats/load_error.h"

namespace leyden::fixtures {

/// The sentence of the LoadError that `action` ends with, or "" if it ends well. Any other
/// exception is the test's failure.
template <typename Action>
std::string refusal_of(const Action& action) {
  try {
    action();
  } catch (const formats::LoadError& error) {
    return error.what();
  }
  return "";
}

}  // namespace leyden::fixtures
