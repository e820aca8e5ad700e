#pragma once

#include <cstdint>

namespace leyden::tools {

/// 1e9 bytes.
inline double gigabytes(double bytes) { return bytes / 1e9; }
inline double gigabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

}  // namespace leyden::tools
