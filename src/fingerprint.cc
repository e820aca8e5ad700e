#include "src/fingerprint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "formats/checksum.h"
#include "src/recipes.h"

namespace leyden {
namespace {

bool holds_weights(const formats::CheckpointTensor& tensor) {
  using enum formats::TensorType;
  const bool is_number = tensor.type >= kF8E5m2 && tensor.type <= kBool;
  return !is_number && tensor.rows() > 0 && tensor.cols() > 0;
}

std::string middle_row(const formats::Checkpoint& checkpoint,
                       const formats::CheckpointTensor& tensor) {
  std::vector<float> row(static_cast<std::size_t>(tensor.cols()));
  checkpoint.read_rows_f32(tensor, tensor.rows() / 2, tensor.rows() / 2 + 1, row.data());
  return to_hex(formats::checksum(std::as_bytes(std::span(row))));
}

}  // namespace

std::string fingerprint(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe) {
  std::string text = to_text(recipe);
  text += checkpoint.config_text() + "\n";
  const auto& tensors = checkpoint.tensors();
  const std::size_t step = (tensors.size() + kFingerprintRows - 1) / kFingerprintRows;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const formats::CheckpointTensor& tensor = tensors[i];
    const bool is_read = i % step == 0 && holds_weights(tensor);
    text +=
        fmt::format("{} {} [{}] {}\n", tensor.name, name(tensor.type),
                    fmt::join(tensor.shape, ", "), is_read ? middle_row(checkpoint, tensor) : "");
  }
  return to_hex(formats::checksum(text));
}

}  // namespace leyden
