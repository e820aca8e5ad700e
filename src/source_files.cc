#include "src/source_files.h"

#include <fmt/format.h>

#include "formats/load_error.h"

namespace leyden {

SourceFiles::SourceFiles(const formats::Checkpoint& checkpoint) {
  for (const std::filesystem::path& path : checkpoint.files()) {
    states_.emplace_back(path, formats::file_state(path));
  }
}

std::string SourceFiles::identity() const {
  std::string text;
  for (const auto& [path, state] : states_) {
    if (!state.is_there) continue;
    text += fmt::format("{} {} {} {}\n", path.filename().string(), state.size, state.modified_ns,
                        state.changed_ns);
  }
  return text;
}

void SourceFiles::check_unchanged() const {
  for (const auto& [path, before] : states_) {
    const formats::FileState now = formats::file_state(path);
    if (now.is_there == before.is_there && now.size == before.size &&
        now.modified_ns == before.modified_ns) {
      continue;
    }
    throw formats::LoadError(path.string(), "changed while it was read");
  }
}

}  // namespace leyden
