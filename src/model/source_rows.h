#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/group_codes.h"
#include "src/model/tensor_plan.h"

namespace leyden::model {

/// The rows of a planned tensor's matrices, as an original checkpoint holds them: cut out of other
/// tensors, put together from several, or transposed.
class SourceRows {
 public:
  /// checkpoint and planned must outlive this. Errors: LoadError when the checkpoint lacks one of
  /// the sources, or has it in another shape or a type that stands for no weights.
  SourceRows(const formats::Checkpoint& checkpoint, const PlannedTensor& planned);

  /// Rows [first_row, first_row + n) of a matrix as f32 [n, cols]. A transposed matrix is read as a
  /// whole for any of its rows. Errors: LoadError if they can't be read.
  std::vector<float> read(std::int64_t matrix, std::int64_t first_row, std::int64_t n) const;

  /// The same into `rows`, [n, cols].
  void read(std::int64_t matrix, std::int64_t first_row, std::int64_t n, float* rows) const;

  /// Whether reading a few rows costs as much as reading all of them: a transposed matrix, or one
  /// that the checkpoint has to put together.
  bool reads_whole(std::int64_t matrix) const;

  /// A place in the order in which the checkpoint's files hold the rows.
  struct Place {
    std::size_t tensor;  // number in checkpoint.tensors()
    std::int64_t row;
    auto operator<=>(const Place&) const = default;
  };
  Place place(std::int64_t matrix, std::int64_t first_row) const;
  const formats::CheckpointTensor& tensor(std::int64_t matrix) const;

  /// The type of blocks that mean the same as groups of `format`, if the matrices are stored in
  /// them: such rows needn't be rounded anew.
  std::optional<formats::TensorType> same_groups(quant::WeightFormat format) const;
  /// These rows as groups of int8 or int4: [n][cols / 32]. Requires same_groups(format). Nothing
  /// for a group that the format can't take over (a code of -128, a scale that isn't finite).
  std::vector<std::optional<quant::GroupCodes>> read_groups(quant::WeightFormat format,
                                                            std::int64_t matrix,
                                                            std::int64_t first_row,
                                                            std::int64_t n) const;

 private:
  const formats::Checkpoint& checkpoint_;
  const PlannedTensor& planned_;
};

}  // namespace leyden::model
