#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/error.h"
#include "quant/recipe.h"
#include "quant/tensor_spec.h"
#include "src/calibration.h"
#include "src/model/expert_counts.h"
#include "src/runtime/thread_team.h"

namespace leyden {

/// What a conversion would write.
struct ConversionPlan {
  std::vector<quant::TensorSpec> tensors;  // those that inference reads, then the MTP layers'
  std::size_t n_model_tensors = 0;         // without the MTP layers'
  std::uint64_t tensor_bytes = 0;          // of all of them
  std::uint64_t model_bytes = 0;           // without the MTP layers'
  std::vector<std::string> left_out;       // tensors of the checkpoint that nothing is made from
  /// With a calibration: matrices that inference reads and that become int4, and those of them that
  /// are rounded by it.
  std::int64_t n_int4 = 0, n_calibrated = 0;

  std::span<const quant::TensorSpec> model_tensors() const {
    return std::span(tensors).first(n_model_tensors);
  }
};
/// Errors: LoadError when the checkpoint doesn't hold what its config says, or the calibration is
/// none for it.
ConversionPlan plan_conversion(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                               const Calibration* calibration = nullptr);

/// Reads tokenizer and the other small files as loading does, so that a damaged one isn't found
/// only when the container is used. convert() does it first. Errors: LoadError naming the file.
void check_companions(const formats::Checkpoint& checkpoint);

struct ConvertOptions {
  std::filesystem::path out;
  bool resume = false;    // go on with what an interrupted conversion wrote, if of the same things
  bool compress = false;  // store tensors as zstd frames
  bool measure = false;   // compare what is written with the original
  const Calibration* calibration = nullptr;
  model::ExpertCounts expert_counts = {};  // kept in the container; empty: nobody has counted
  /// Where recipe and counts were read; `out` replaces none of them either.
  std::vector<std::filesystem::path> other_inputs = {};
};
/// Every file that the container is made from.
std::vector<std::filesystem::path> inputs_of(const formats::Checkpoint& checkpoint,
                                             const ConvertOptions& options);

/// How far a tensor of the container is from the original.
struct TensorLoss {
  quant::TensorSpec spec;
  quant::ErrorFigures figures;
};
struct ConvertResult {
  std::string fingerprint;
  std::uint64_t resumed_bytes = 0;  // of tensors, found written
  double learning_share = 0;        // of the threads' time: learning levels
  std::vector<TensorLoss> losses;   // of packed tensors, if measured
  quant::ErrorFigures total;        // over all of them
};

/// Bytes of tensors done and in all, and the tensor worked on. Called by one thread at a time. What
/// it throws ends the conversion like an error.
using ConvertProgress =
    std::function<void(std::uint64_t done, std::uint64_t total, std::string_view tensor)>;

/// Writes a checkpoint as a leyden container. Pieces of tensors are quantized on all threads in the
/// order in which the checkpoint's files hold them, and written at their final place, so memory
/// stays at a few MB per thread, besides a calibration. The file appears under its name when it is
/// complete and synced; otherwise an old one stays as it was.
/// Errors: LoadError, also for a file of the checkpoint that changed meanwhile;
/// formats::WriteError, also for an output that is one of the files it is made from, and if resume
/// finds pieces of other things. Afterwards nothing is left of the new file, unless resume asks for
/// it to be kept.
ConvertResult convert(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                      const ConvertOptions& options, runtime::ThreadTeam& team,
                      const ConvertProgress& progress);

/// Seconds that one thread needs for a conversion, from quantizing a few pieces of every format;
/// waiting for disks is not included. Errors: LoadError.
double estimate_seconds(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe);

}  // namespace leyden
