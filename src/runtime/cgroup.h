#pragma once

#include <cstdint>
#include <optional>

namespace leyden::runtime {

/// What the cgroup of this process and those above it still leave of memory (cgroup v2): the least
/// of memory.max - memory.current. Nothing where there is no limit.
std::optional<std::uint64_t> cgroup_memory();

/// CPUs' worth of time they allow: the least of cpu.max's quota / period.
std::optional<double> cgroup_cpus();

}  // namespace leyden::runtime
