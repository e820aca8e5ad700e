#pragma once

#include <string>

namespace leyden::runtime {

/// What the system does with huge pages.
struct HugePageState {
  std::string transparent;    // "always", "madvise", "never", or empty without support
  std::string defragmenting;  // the same of what it does when no huge page is free
};

/// Reads /sys/kernel/mm/transparent_hugepage. Reserved pages are node_memory()'s.
HugePageState huge_page_state();

}  // namespace leyden::runtime
