#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace leyden::runtime {

/// What the cgroup of this process and those above it still leave of memory (cgroup v2): the least
/// of memory_left_in(), in bytes. Nothing where there is no limit.
std::optional<std::uint64_t> cgroup_memory();

/// Of one group's folder: memory.max - memory.current, and what the kernel can take back of the
/// latter (page cache and reclaimable slab), which a model that was just read or downloaded fills.
std::optional<std::uint64_t> memory_left_in(const std::string& folder);

/// CPUs' worth of time they allow: the least of cpu.max's quota / period.
std::optional<double> cgroup_cpus();

}  // namespace leyden::runtime
