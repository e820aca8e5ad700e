#pragma once

#include <cstdint>

#include "formats/row_reader.h"

namespace leyden::formats {

/// kv_b_proj as GGUF stores it, in two halves: the key rows of every head transposed, so that a
/// query meets contiguous rows, and the value rows as they are.
/// Shapes: keys [heads * kv_lora_rank, nope], values [heads * v, kv_lora_rank]; together they are
///         kv_b_proj [heads * (nope + v), kv_lora_rank], per head nope key rows, then v value rows.
struct GgufKvB {
  StoredMatrix keys;
  StoredMatrix values;
  std::int64_t heads = 0, nope = 0, v = 0, kv_lora_rank = 0;

  std::int64_t rows() const { return heads * (nope + v); }

  /// Reads rows [row_begin, row_end) of kv_b_proj as float32. A head's keys are decoded as a whole
  /// for any of its key rows, so ask for them together. Errors: LoadError as InputFile's.
  void read_rows_f32(std::int64_t row_begin, std::int64_t row_end, float* to) const;

 private:
  void read_keys(std::int64_t head, std::int64_t begin, std::int64_t end, float* to) const;
};

}  // namespace leyden::formats
