#pragma once

#include <filesystem>

namespace leyden::tools {

/// Where the bundled demo model is: $LEYDEN_DEMO_MODEL, ../share/leyden/demo beside the program (an
/// installation), or the source tree this program was built from. It is a checkpoint, quantized
/// while loading.
/// Errors: std::runtime_error naming the places looked at.
std::filesystem::path find_demo_model();

}  // namespace leyden::tools
