#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/container_reader.h"
#include "formats/recipe_file.h"
#include "quant/number.h"
#include "quant/pack.h"
#include "src/convert.h"
#include "src/runtime/memory.h"
#include "src/runtime/thread_team.h"
#include "tests/formats/temp_directory.h"

/// What tests of conversion share.
namespace leyden {

class ConvertTest : public ::testing::Test {
 protected:
  ConvertResult convert_to(const std::filesystem::path& out, const std::filesystem::path& in,
                           const std::string& recipe, ConvertOptions options = {}) {
    runtime::ThreadTeam team(2);
    options.out = out;
    return convert(*formats::Checkpoint::open(in), formats::load_recipe(recipe), options, team, {});
  }

  leyden::fixtures::TempDirectory dir_;
  const std::filesystem::path out_ = dir_.path() / "model.leyden";
};

/// All weights of a tensor, matrix after matrix.
inline std::vector<float> weights_of(const formats::ContainerReader& container,
                                     const std::string& name) {
  const formats::StoredTensor& tensor = *container.find(name);
  const quant::TensorSpec& spec = tensor.spec;
  runtime::Memory bytes(tensor.bytes);
  container.read(tensor, 0, {bytes.data(), tensor.bytes});
  std::vector<float> weights(static_cast<std::size_t>(spec.count * spec.rows * spec.cols));
  if (spec.layout == quant::Layout::kRows) {
    if (spec.format == quant::WeightFormat::kBf16) {
      const auto* const codes = reinterpret_cast<const std::uint16_t*>(bytes.data());
      quant::bf16_to_f32({codes, weights.size()}, weights.data());
    } else {
      std::memcpy(weights.data(), bytes.data(), weights.size() * sizeof(float));
    }
    return weights;
  }
  const auto stack =
      quant::matrix_stack(spec.format, spec.count, spec.rows, spec.cols, bytes.data());
  for (std::int64_t m = 0; m < spec.count; ++m) {
    const quant::MatrixView matrix = stack[m];
    for (std::int64_t i = 0; i < matrix.n_tiles(); ++i) {
      quant::unpack_tile(matrix, i, weights.data() + (m * spec.rows + i * 16) * spec.cols,
                         spec.cols);
    }
  }
  return weights;
}

/// The same of a checkpoint.
inline std::vector<float> originals(const formats::Checkpoint& checkpoint,
                                    const std::string& name) {
  const formats::CheckpointTensor& tensor = *checkpoint.find(name);
  std::vector<float> weights(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  checkpoint.read_rows_f32(tensor, 0, tensor.rows(), weights.data());
  return weights;
}

}  // namespace leyden
