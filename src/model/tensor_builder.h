#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/error.h"
#include "quant/levels.h"
#include "quant/pack.h"
#include "quant/tensor_spec.h"
#include "src/model/source_rows.h"
#include "src/model/tensor_plan.h"

namespace leyden::model {

/// Makes one tensor of a model from an original checkpoint, piece by piece, so that any number of
/// threads can share the work and a whole tensor is never in memory as floats. Loading a checkpoint
/// and converting one both go through here: the same bytes either way.
class TensorBuilder {
 public:
  /// checkpoint and planned must outlive this. importance: how much the squared error of each
  /// column counts, [count or 1][cols], each > 0, or empty: all alike; int4 only. Errors: LoadError
  /// when the checkpoint lacks one of the sources or has it in another shape.
  TensorBuilder(const formats::Checkpoint& checkpoint, const PlannedTensor& planned,
                quant::WeightFormat format, std::vector<float> importance = {});

  const quant::TensorSpec& spec() const { return spec_; }

  int n_pieces() const { return n_matrices_ * pieces_per_matrix_; }

  /// Where piece i lies in the tensor's bytes.
  struct Range {
    std::size_t offset, bytes;
  };
  Range range(int piece) const;

  /// Where piece i comes from: pieces built in this order read the checkpoint from front to back.
  SourceRows::Place place(int piece) const;

  /// The matrix whose levels have to be learned before piece i, its first, can be made; -1 if there
  /// is none. build() learns what nobody has learned, but the other threads that need it then wait.
  int matrix_that_learns(int piece) const;
  /// Learns a matrix' levels from a sample of its rows. Errors: LoadError if they can't be read.
  void learn(int matrix) const;

  /// Makes piece i: range(i).bytes bytes at `to`, which is 64-byte aligned.
  /// Errors: LoadError naming tensor and place for weights that are not finite or too large for the
  ///         format, or that can't be read.
  void build(int piece, std::byte* to) const;

  /// How far piece i, as build() made it, is from the checkpoint's weights. `built` is 64-byte
  /// aligned. Plain rows are exact and count as nothing. Errors: as build().
  quant::ErrorMeter measure(int piece, const std::byte* built) const;

 private:
  /// A piece's rows.
  struct Rows {
    std::int64_t matrix, first, n;
  };
  Rows rows_of(int piece) const;
  void build_rows(std::int64_t first, std::int64_t n, std::byte* to) const;
  void build_tiles(const Rows& rows, std::byte* to) const;
  void repack_tiles(const Rows& rows, std::byte* to) const;
  const float* importance(std::int64_t matrix) const;
  /// The levels of an int4 matrix, learned by whoever asks first.
  const quant::Levels& levels(std::int64_t matrix) const;
  quant::Levels learn_levels(std::int64_t matrix) const;
  [[noreturn]] void refuse(std::int64_t matrix, std::int64_t first_row, std::int64_t n,
                           quant::PackStatus status) const;

  SourceRows source_;
  quant::TensorSpec spec_;
  std::vector<float> importance_;
  int n_matrices_ = 0, pieces_per_matrix_ = 0;
  std::int64_t rows_per_piece_ = 0;
  bool repacks_ = false;  // the source's blocks mean the same as our groups

  struct LearnedLevels {
    std::once_flag once;
    quant::Levels levels;
  };
  std::unique_ptr<LearnedLevels[]> learned_;  // [n_matrices], int4 only
  const formats::Checkpoint& checkpoint_;
};

}  // namespace leyden::model
