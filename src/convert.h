#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/recipe.h"
#include "quant/tensor_spec.h"
#include "src/runtime/thread_team.h"

namespace leyden {

/// What a conversion would write.
struct ConversionPlan {
  std::vector<quant::TensorSpec> tensors;
  std::uint64_t tensor_bytes = 0;
};
/// Errors: LoadError when the checkpoint doesn't hold what its config says.
ConversionPlan plan_conversion(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe);

/// Bytes of tensors written and in all. Called by one thread at a time.
using ConvertProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Writes a checkpoint as a leyden container: tensors are quantized piece by piece on all threads
/// and written at their final place, so memory stays at a few MB per thread. The file appears under
/// its name when it is complete and synced; otherwise an old one stays as it was.
/// Returns the container's fingerprint. Errors: LoadError, formats::WriteError.
std::string convert(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                    const std::filesystem::path& out, runtime::ThreadTeam& team,
                    const ConvertProgress& progress);

}  // namespace leyden
