#include "src/model/source_rows.h"

#include <cstring>

#include "formats/tensor_type.h"

namespace leyden::model {
namespace {

using formats::TensorType;
using quant::GroupCodes;
using quant::WeightFormat;

constexpr int kGroup = simd::kGroup;

/// One block of Q8_0: an fp16 scale and 32 signed bytes.
std::optional<GroupCodes> from_q8_0(const std::uint8_t* block) {
  GroupCodes group;
  std::memcpy(&group.scale, block, 2);
  for (std::size_t k = 0; k < kGroup; ++k) {
    const auto q = static_cast<std::int8_t>(block[2 + k]);
    if (q == -128) return std::nullopt;
    group.code[k] = static_cast<std::uint8_t>(q + simd::kInt8Offset);
  }
  return group;
}

/// One block of Q4_0: an fp16 scale and 16 bytes, whose low nibbles are the first half.
GroupCodes from_q4_0(WeightFormat format, const std::uint8_t* block) {
  GroupCodes group;
  std::memcpy(&group.scale, block, 2);
  // As int4 a nibble indexes the even levels; as int8 it is the number q - 8 itself.
  const int offset = format == WeightFormat::kInt4 ? 0 : simd::kInt8Offset - 8;
  for (std::size_t k = 0; k < kGroup / 2; ++k) {
    group.code[k] = static_cast<std::uint8_t>((block[2 + k] & 15) + offset);
    group.code[k + kGroup / 2] = static_cast<std::uint8_t>((block[2 + k] >> 4) + offset);
  }
  return group;
}

bool is_finite_fp16(std::uint16_t code) { return (code & 0x7c00) != 0x7c00; }

}  // namespace

SourceRows::SourceRows(const formats::Checkpoint& checkpoint, const PlannedTensor& planned)
    : checkpoint_(checkpoint), planned_(planned) {
  const TensorSource& from = planned.source;
  const std::int64_t n_sources = from.name_of(0) == from.name ? 1 : planned.count;
  for (std::int64_t i = 0; i < n_sources; ++i) {
    checkpoint.require(from.name_of(i), from.rows, from.cols, "the model's config");
  }
}

const formats::CheckpointTensor& SourceRows::tensor(std::int64_t matrix) const {
  return *checkpoint_.find(planned_.source.name_of(matrix));
}

SourceRows::Place SourceRows::place(std::int64_t matrix, std::int64_t first_row) const {
  const TensorSource& from = planned_.source;
  const auto number = static_cast<std::size_t>(&tensor(matrix) - checkpoint_.tensors().data());
  return {number, from.first_row + matrix * from.row_step + (from.transposed ? 0 : first_row)};
}

std::vector<float> SourceRows::read(std::int64_t matrix, std::int64_t first_row,
                                    std::int64_t n) const {
  std::vector<float> rows(static_cast<std::size_t>(n * planned_.cols));
  read(matrix, first_row, n, rows.data());
  return rows;
}

void SourceRows::read(std::int64_t matrix, std::int64_t first_row, std::int64_t n,
                      float* rows) const {
  const formats::CheckpointTensor& source = tensor(matrix);
  const std::int64_t begin = place(matrix, first_row).row;
  if (!planned_.source.transposed) {
    checkpoint_.read_rows_f32(source, begin, begin + n, rows);
    return;
  }
  const std::int64_t cols = planned_.cols;
  std::vector<float> original(static_cast<std::size_t>(cols * planned_.rows));  // [cols, rows]
  checkpoint_.read_rows_f32(source, begin, begin + cols, original.data());
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      rows[r * cols + c] = original[static_cast<std::size_t>(c * planned_.rows + first_row + r)];
    }
  }
}

bool SourceRows::reads_whole(std::int64_t matrix) const {
  return planned_.source.transposed || !tensor(matrix).stored_by_rows;
}

std::optional<TensorType> SourceRows::same_groups(WeightFormat format) const {
  const TensorType type = tensor(0).type;
  const bool fits = (format == WeightFormat::kInt8 && type == TensorType::kQ8_0) ||
                    ((format == WeightFormat::kInt8 || format == WeightFormat::kInt4) &&
                     type == TensorType::kQ4_0);
  for (std::int64_t i = 0; fits && i < planned_.count; ++i) {
    if (planned_.source.transposed || tensor(i).type != type || !tensor(i).stored_by_rows) {
      return std::nullopt;
    }
  }
  return fits ? std::optional(type) : std::nullopt;
}

std::vector<std::optional<GroupCodes>> SourceRows::read_groups(WeightFormat format,
                                                               std::int64_t matrix,
                                                               std::int64_t first_row,
                                                               std::int64_t n) const {
  const formats::CheckpointTensor& source = tensor(matrix);
  const auto block_bytes = static_cast<std::size_t>(info(source.type).block_bytes);
  const auto n_groups = static_cast<std::size_t>(n * planned_.cols / kGroup);
  std::vector<std::byte> blocks(n_groups * block_bytes);
  const std::int64_t begin = place(matrix, first_row).row;
  checkpoint_.read_rows_raw(source, begin, begin + n, blocks);
  std::vector<std::optional<GroupCodes>> groups;
  groups.reserve(n_groups);
  for (std::size_t i = 0; i < n_groups; ++i) {
    const auto* const block =
        reinterpret_cast<const std::uint8_t*>(blocks.data()) + i * block_bytes;
    std::optional<GroupCodes>& group = groups.emplace_back(
        source.type == TensorType::kQ8_0 ? from_q8_0(block) : from_q4_0(format, block));
    if (group && !is_finite_fp16(group->scale)) group.reset();
  }
  return groups;
}

}  // namespace leyden::model
