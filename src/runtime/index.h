#pragma once

#include <cstddef>
#include <cstdint>

namespace leyden {

/// i as an index of a container.
/// @pre i >= 0
inline std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace leyden
