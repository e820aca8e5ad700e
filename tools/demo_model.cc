#include "tools/demo_model.h"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace leyden::tools {

std::filesystem::path find_demo_model() {
  namespace fs = std::filesystem;
  if (const char* wanted = std::getenv("LEYDEN_DEMO_MODEL"); wanted != nullptr && *wanted != '\0') {
    return wanted;
  }
  std::error_code unreadable;
  const fs::path program = fs::read_symlink("/proc/self/exe", unreadable);
  const std::vector<fs::path> places = {
      program.parent_path().parent_path() / "share" / "leyden" / "demo",
      fs::path(LEYDEN_SOURCE_DIR) / "models" / "demo" / "checkpoint",
  };
  std::string looked;
  for (const fs::path& place : places) {
    if (fs::exists(place, unreadable)) return place;
    looked += "\n  " + place.string();
  }
  throw std::runtime_error(
      "the demo model is not where it should be; name a model with -m, or set "
      "LEYDEN_DEMO_MODEL. Looked at:" +
      looked);
}

}  // namespace leyden::tools
