#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "quant/weight_format.h"

namespace leyden::quant {

/// One row's group of 32 columns as a packed int8 or int4 tile stores it:
///   int8: weight = scale * (code - 128), code in 1 ... 255
///   int4: weight = scale * (levels[code] - 64), code in 0 ... 15
/// Through these a format of the same meaning (GGUF's Q8_0, Q4_0) moves in without rounding.
struct GroupCodes {
  std::uint16_t scale = 0;  // fp16, may be negative
  std::array<std::uint8_t, simd::kGroup> code = {};

  bool operator==(const GroupCodes&) const = default;
};

/// Group `group` (column / 32) of row `row` (0 ... 15) of the tile that starts at `tile`.
/// format is kInt8 or kInt4. Errors: none; the group must lie inside the tile.
GroupCodes read_group(WeightFormat format, const std::byte* tile, int row, int group) noexcept;
void write_group(WeightFormat format, const GroupCodes& codes, int row, int group,
                 std::byte* tile) noexcept;

}  // namespace leyden::quant
