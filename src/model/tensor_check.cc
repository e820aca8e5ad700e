#include "src/model/tensor_check.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "formats/json_text.h"
#include "formats/load_error.h"
#include "src/model/tensor_plan.h"

namespace leyden::model {
namespace {

using formats::LoadError;
using quant::Layout;
using quant::TensorSpec;

std::string shape_text(std::int64_t count, std::int64_t rows, std::int64_t cols) {
  return count == 1 ? fmt::format("[{}, {}]", rows, cols)
                    : fmt::format("[{}, {}, {}]", count, rows, cols);
}

void check(const PlannedTensor& planned, const TensorSpec& spec, const std::string& file) {
  if (spec.layout != planned.layout) {
    throw LoadError(file, fmt::format("tensor '{}': layout is {}, expected {}", planned.name,
                                      name(spec.layout), name(planned.layout)));
  }
  if (spec.count != planned.count || spec.rows != planned.rows || spec.cols != planned.cols) {
    throw LoadError(file,
                    fmt::format("tensor '{}': shape is {}, expected {} from the model's config",
                                planned.name, shape_text(spec.count, spec.rows, spec.cols),
                                shape_text(planned.count, planned.rows, planned.cols)));
  }
  const bool is_vector = planned.layout == Layout::kRows && planned.rows == 1;
  if (is_vector && spec.format != quant::WeightFormat::kF32) {
    throw LoadError(file, fmt::format("tensor '{}': format is {}, expected f32", planned.name,
                                      name(spec.format)));
  }
}

}  // namespace

void check_tensors(const formats::ModelConfig& config, std::span<const TensorSpec> specs,
                   const std::string& file) {
  std::map<std::string_view, const TensorSpec*> unplanned;  // what no planned tensor has asked for
  for (const TensorSpec& spec : specs) unplanned[spec.name] = &spec;
  for (const PlannedTensor& planned : plan_tensors(config)) {
    const auto found = unplanned.find(planned.name);
    if (found == unplanned.end()) {
      throw LoadError(file, fmt::format("tensor '{}' is missing", planned.name));
    }
    check(planned, *found->second, file);
    unplanned.erase(found);
  }
  if (unplanned.empty()) return;
  const TensorSpec& spec = *unplanned.begin()->second;
  throw LoadError(file, fmt::format("tensor '{}' of shape {} is none of those that a model of this "
                                    "config has",
                                    formats::excerpt(spec.name, 200),
                                    shape_text(spec.count, spec.rows, spec.cols)));
}

std::vector<TensorSpec> checked_tensors(const formats::ContainerReader& container) {
  std::vector<TensorSpec> specs;
  for (const formats::StoredTensor& tensor : container.tensors()) specs.push_back(tensor.spec);
  check_tensors(container.config(), specs, container.name());
  return specs;
}

void check_levels(const PlacedTensor& tensor, const std::string& file) {
  constexpr int kLargest = 2 * simd::kInt4Offset - 1;
  const TensorSpec& spec = tensor.spec;
  if (spec.format != quant::WeightFormat::kInt4) return;
  const PlacedStack stack = tensor.stack();
  for (std::int64_t m = 0; m < spec.count; ++m) {
    const std::uint8_t* const levels = stack[m].parts.front().rows.levels();
    for (int i = 0; i < simd::kInt4Levels; ++i) {
      if (levels[i] <= kLargest) continue;
      const auto matrix_bytes =
          static_cast<std::int64_t>(quant::matrix_bytes(spec.format, spec.rows, spec.cols));
      throw LoadError(
          file, fmt::format("tensor '{}': level {} of matrix {}, byte {} of the tensor, is {}, "
                            "expected at most {}",
                            spec.name, i, m, m * matrix_bytes + i, levels[i], kLargest));
    }
  }
}

}  // namespace leyden::model
