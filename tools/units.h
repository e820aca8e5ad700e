#pragma once

#include <cstdint>

namespace leyden::tools {

/// 1e9 bytes.
inline double gigabytes(double bytes) { return bytes / 1e9; }
inline double gigabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

/// Of n things in so much time, 0 for no time at all.
inline double per_second(int n, double seconds) { return seconds > 0 ? n / seconds : 0; }

}  // namespace leyden::tools
