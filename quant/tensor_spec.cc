#include "quant/tensor_spec.h"

#include <stdexcept>

namespace leyden::quant {

std::string_view name(Layout layout) { return layout == Layout::kRows ? "rows" : "tiles"; }

std::optional<Layout> layout_named(std::string_view name) {
  if (name == "rows") return Layout::kRows;
  if (name == "tiles") return Layout::kTiles;
  return std::nullopt;
}

std::size_t TensorSpec::bytes() const {
  if (layout == Layout::kTiles) return stack_bytes(format, count, rows, cols);
  if (count != 1) throw std::invalid_argument(name + ": a tensor of plain rows is one matrix");
  return rows_bytes(format, rows, cols);
}

}  // namespace leyden::quant
