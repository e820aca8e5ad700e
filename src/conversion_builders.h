#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/recipe.h"
#include "src/calibration.h"
#include "src/model/tensor_builder.h"
#include "src/model/tensor_plan.h"

namespace leyden {

/// Making a piece of a tensor, or learning the levels of a matrix.
struct Job {
  std::size_t tensor;
  int piece;
  int learns = -1;           // the matrix; pieces: -1
  std::uint64_t number = 0;  // of the piece in the order in which the checkpoint holds them
};

/// The builders of all tensors of a conversion; they borrow the plan.
struct Builders {
  /// Errors: LoadError when the checkpoint doesn't hold what its config says, or the calibration is
  /// none for it.
  Builders(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
           const Calibration* calibration = nullptr);

  /// All pieces in the order in which the checkpoint holds them; and what has to be learned for
  /// them, n_ahead pieces earlier, so that the threads which need it don't wait for the one that
  /// learns it.
  std::vector<Job> jobs(std::size_t n_ahead) const;

  std::size_t n_pieces() const;
  std::vector<quant::TensorSpec> specs() const;

  std::vector<model::PlannedTensor> plan;
  std::size_t n_model;  // the first ones, which inference reads
  std::vector<model::TensorBuilder> all;
  /// With a calibration: matrices that inference reads and that become int4, and those of them that
  /// are rounded by it. MTP layers don't run, so no calibration knows them.
  std::int64_t n_int4 = 0, n_calibrated = 0;
};

}  // namespace leyden
