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

/// The same of reserved huge pages of 2 MiB: the least of huge_pages_left_in(), in bytes. The
/// kernel holds to hugetlb.2MB.max when a page is touched, by a signal that ends the process.
std::optional<std::uint64_t> cgroup_huge_pages();

/// Of one group's folder: what its limits leave beyond the pages in use and those promised to
/// mappings that haven't touched them yet.
std::optional<std::uint64_t> huge_pages_left_in(const std::string& folder);

/// CPUs' worth of time they allow: the least of cpu.max's quota / period.
std::optional<double> cgroup_cpus();

}  // namespace leyden::runtime
