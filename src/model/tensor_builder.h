#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/levels.h"
#include "quant/tensor_spec.h"
#include "src/model/tensor_plan.h"

namespace leyden::model {

/// Makes one tensor of a model from an original checkpoint, piece by piece, so that any number of
/// threads can share the work and a whole tensor is never in memory as floats. Loading a checkpoint
/// and converting one both go through here: the same bytes either way.
class TensorBuilder {
 public:
  /// checkpoint and planned must outlive this. Errors: LoadError when the checkpoint lacks one of
  /// the sources or has it in another shape.
  TensorBuilder(const formats::Checkpoint& checkpoint, const PlannedTensor& planned,
                quant::WeightFormat format);

  const quant::TensorSpec& spec() const { return spec_; }

  int n_pieces() const { return n_matrices_ * pieces_per_matrix_; }

  /// Where piece i lies in the tensor's bytes.
  struct Range {
    std::size_t offset, bytes;
  };
  Range range(int piece) const;

  /// Makes piece i: range(i).bytes bytes at `to`, which is 64-byte aligned.
  /// Errors: LoadError naming tensor and place for weights that are not finite or too large for the
  ///         format, or that can't be read.
  void build(int piece, std::byte* to) const;

 private:
  void build_rows(std::int64_t first, std::int64_t n, std::byte* to) const;
  void build_tiles(std::int64_t matrix, std::int64_t first_row, std::int64_t n,
                   std::byte* to) const;
  /// Rows [first_row, first_row + n) of a matrix, all of them when the source is transposed.
  std::vector<float> read_rows(std::int64_t matrix, std::int64_t first_row, std::int64_t n) const;
  /// The levels of an int4 matrix, learned by whoever asks first.
  const quant::Levels& levels(std::int64_t matrix) const;
  quant::Levels learn_levels(std::int64_t matrix) const;

  const formats::Checkpoint& checkpoint_;
  const PlannedTensor& planned_;
  quant::TensorSpec spec_;
  int n_matrices_ = 0, pieces_per_matrix_ = 0;
  std::int64_t rows_per_piece_ = 0;

  struct LearnedLevels {
    std::once_flag once;
    quant::Levels levels;
  };
  std::unique_ptr<LearnedLevels[]> learned_;  // [n_matrices], int4 only
};

}  // namespace leyden::model
