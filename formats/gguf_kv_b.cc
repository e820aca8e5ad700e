#include "formats/gguf_kv_b.h"

#include <algorithm>
#include <vector>

namespace leyden::formats {

void GgufKvB::read_keys(std::int64_t head, std::int64_t begin, std::int64_t end, float* to) const {
  std::vector<float> transposed(static_cast<std::size_t>(kv_lora_rank * nope));
  formats::read_rows_f32(keys, head * kv_lora_rank, (head + 1) * kv_lora_rank, transposed.data());
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t col = 0; col < kv_lora_rank; ++col) {
      *to++ = transposed[static_cast<std::size_t>(col * nope + row)];
    }
  }
}

void GgufKvB::read_rows_f32(std::int64_t row_begin, std::int64_t row_end, float* to) const {
  const std::int64_t head_rows = nope + v;
  while (row_begin < row_end) {
    const std::int64_t head = row_begin / head_rows;
    const std::int64_t in_head = row_begin % head_rows;
    const bool is_key = in_head < nope;
    const std::int64_t n = std::min(row_end - row_begin, (is_key ? nope : head_rows) - in_head);
    if (is_key) {
      read_keys(head, in_head, in_head + n, to);
    } else {
      const std::int64_t first = head * v + in_head - nope;
      formats::read_rows_f32(values, first, first + n, to);
    }
    row_begin += n;
    to += n * kv_lora_rank;
  }
}

}  // namespace leyden::formats
