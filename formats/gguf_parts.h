#pragma once

#include <filesystem>
#include <vector>

#include "formats/gguf_file.h"

namespace leyden::formats {

/// Opens a GGUF model: the file at `path`, or all parts of a split model, of which `path` must be
/// the first (NAME-00001-of-00003.gguf). The names of the other parts are made from this path
/// alone. Only the first part has keys beyond its number and alignment.
/// Errors: LoadError naming the part that is missing, doesn't belong here, or has a tensor that
///         another part has too; or the number of tensors that all should have.
std::vector<GgufFile> open_gguf_parts(const std::filesystem::path& path);

}  // namespace leyden::formats
