#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/container_writer.h"
#include "formats/json.h"
#include "quant/tensor_spec.h"
#include "src/model/expert_counts.h"
#include "src/model/loaded_model.h"
#include "tests/model/golden.h"

/// Containers that hold whatever tensors a test wants, sound in themselves: what a hostile file is.
namespace leyden::model {

inline formats::ModelConfig golden_config(const std::string& name) {
  const std::string path = golden_checkpoint(name) + "/config.json";
  return formats::parse_model_config(formats::read_text_file(path), path);
}

/// The tensors that a model has, in float32.
inline std::vector<quant::TensorSpec> golden_tensors(const std::string& name) {
  return tensor_specs(golden_config(name), [](const auto&) { return quant::WeightFormat::kF32; });
}

/// Zeros in these shapes, with the config of the golden checkpoint `name`, and counts of its
/// experts if there are any.
inline void write_zeros(const std::filesystem::path& path, const std::string& name,
                        const std::vector<quant::TensorSpec>& specs,
                        const ExpertCounts& counts = {}) {
  std::vector<formats::Blob> blobs = {
      {"config.json", formats::read_text_file(golden_checkpoint(name) + "/config.json")}};
  if (!counts.empty()) blobs.push_back({std::string(kExpertCountsBlob), to_json(counts)});
  formats::ContainerWriter writer(path, "f32", blobs, specs);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    writer.write(i, 0, std::vector<std::byte>(specs[i].bytes()));
  }
  writer.finish();
}

}  // namespace leyden::model
