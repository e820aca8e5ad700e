#pragma once

#include <filesystem>

namespace leyden::tools {

/// Where the bundled demo model is: $LEYDEN_DEMO_MODEL, beside the program (a build tree), in
/// ../share/leyden (an installation), or the source tree this program was built from.
/// Errors: std::runtime_error naming the places looked at.
std::filesystem::path find_demo_model();

}  // namespace leyden::tools
