#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "src/model/tensor_plan.h"

namespace leyden {

/// The tensor under whose name the activations of `tensor` are recorded: "up" matrices see what
/// "gate" matrices see.
std::string recorded_name(const std::string& tensor);

/// What the columns of a tensor's matrices met while a model ran over a text.
struct ColumnEnergy {
  std::int64_t count = 1, cols = 0;
  std::vector<float> mean_square;    // [count, cols]: of the activations each column multiplies
  std::vector<std::int64_t> tokens;  // [count]: how many were seen; 0 for an expert never reached
};

/// Activation energies by leyden's tensor names ("layers.3.experts.down"), for quantizing where it
/// matters. On disk a safetensors file: per tensor NAME, F32 [count, cols], and NAME.tokens, I64
/// [count].
class Calibration {
 public:
  Calibration() = default;
  explicit Calibration(std::map<std::string, ColumnEnergy> tensors);

  /// Errors: LoadError naming file, tensor, found and expected.
  static Calibration load(const std::filesystem::path& file);
  /// Errors: formats::WriteError.
  void save(const std::filesystem::path& file) const;

  const std::map<std::string, ColumnEnergy>& tensors() const { return tensors_; }
  /// The file it was loaded from, for messages.
  const std::string& source() const { return source_; }

  /// How much the squared error of each column counts, [count, cols], on average 1 per matrix: the
  /// mean square of its activations, but at least kLeastImportance of the average, since the text
  /// was only an example. An expert that no token reached gets the average of those that were
  /// reached. Empty for a tensor that wasn't recorded. Errors: LoadError if the shape differs.
  std::vector<float> importance(const model::PlannedTensor& planned) const;
  static constexpr float kLeastImportance = 0.05f;

  /// Matrices no token reached, by tensor; only tensors that have some.
  std::map<std::string, std::int64_t> unreached() const;

  /// A hash of everything.
  std::string fingerprint() const;

 private:
  std::string source_ = "calibration";
  std::map<std::string, ColumnEnergy> tensors_;
};

}  // namespace leyden
