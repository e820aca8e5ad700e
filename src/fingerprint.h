#pragma once

#include <string>

#include "formats/checkpoint.h"
#include "quant/recipe.h"

namespace leyden {

/// Identifies an original checkpoint quantized by a recipe: 32 hexadecimal digits, a hash of the
/// recipe's name and rules, config.json, every tensor's name, type and shape, and one row each of
/// at most kFingerprintRows tensors, spread evenly. Cheap even for hundreds of gigabytes, so it
/// tells models apart, but can't prove that weights are undamaged; a container's fingerprint, which
/// is another one, covers every byte (formats/container_index.h).
/// Errors: LoadError if a row can't be read.
std::string fingerprint(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe);

constexpr std::size_t kFingerprintRows = 1024;

}  // namespace leyden
