#pragma once

#include <cstdint>
#include <string>

namespace leyden::runtime {

/// What the system does with huge pages.
struct HugePageState {
  std::string transparent;     // "always", "madvise", "never", or empty without support
  std::string defragmenting;   // the same of what it does when no huge page is free
  std::uint64_t reserved = 0;  // pages of 2 MiB for programs that ask for them (vm.nr_hugepages)
  // Of them, on all nodes: promised to nobody, and within what this process' cgroups allow.
  std::uint64_t free = 0;
};

/// Reads /sys/kernel/mm and the cgroups' limits. How many reserved pages a node has left,
/// node_memory() says.
HugePageState huge_page_state();

}  // namespace leyden::runtime
