#pragma once

#include <cstdint>

namespace leyden::model {

/// The keys one query attends to: a list of positions, ascending, or all of [0, n).
struct VisibleKeys {
  const std::int32_t* positions = nullptr;  // null: 0, 1, 2 ...
  std::int32_t n = 0;
  std::int32_t operator[](std::int32_t i) const { return positions != nullptr ? positions[i] : i; }
};

}  // namespace leyden::model
