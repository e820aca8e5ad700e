#pragma once

#include <cstdint>
#include <string>

namespace leyden::runtime {

/// How much memory this process may still take, and who says so.
struct AvailableMemory {
  std::uint64_t bytes = 0;
  std::string limit;  // "free memory", "the cgroup's limit" or "ulimit -v"
};

/// The smallest of what the system has (MemAvailable), what the process' cgroups allow, and what
/// RLIMIT_AS leaves. Reads /proc and /sys; where they can't be read that bound doesn't count.
AvailableMemory available_memory();

}  // namespace leyden::runtime
