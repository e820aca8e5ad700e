#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "quant/weight_format.h"

namespace leyden::quant {

/// Where the values of a tensor lie inside its bytes.
enum class Layout : std::uint8_t {
  kRows,   // plain row-major, for look-ups by row: embeddings, norms, biases
  kTiles,  // packed matrices (simd/layout.h), for products
};

/// "rows" or "tiles".
std::string_view name(Layout layout);
std::optional<Layout> layout_named(std::string_view name);

/// One tensor of a model under leyden's own name ("layers.3.experts.gate"): a stack of `count`
/// matrices [rows, cols] in one format. A vector is one row. kRows tensors have count 1.
struct TensorSpec {
  std::string name;
  Layout layout = Layout::kTiles;
  WeightFormat format = WeightFormat::kF32;
  std::int64_t count = 1, rows = 0, cols = 0;

  /// Bytes the tensor takes. Errors: as stack_bytes and rows_bytes.
  std::size_t bytes() const;

  bool operator==(const TensorSpec&) const = default;
};

}  // namespace leyden::quant
