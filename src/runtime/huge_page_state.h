#pragma once

#include <cstdint>
#include <string>

namespace leyden::runtime {

/// What the system does with huge pages.
struct HugePageState {
  std::string transparent;     // "always", "madvise", "never", or empty without support
  std::string defragmenting;   // the same of what it does when no huge page is free
  std::uint64_t reserved = 0;  // pages of 2 MiB for programs that ask for them (vm.nr_hugepages)
  std::uint64_t free = 0;      // of them, on all nodes
};

/// Reads /sys/kernel/mm. How many reserved pages a node has left, node_memory() says.
HugePageState huge_page_state();

}  // namespace leyden::runtime
