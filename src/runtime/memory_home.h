#pragma once

#include <cstddef>
#include <vector>

namespace leyden::runtime {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;  // bytes

/// On which NUMA nodes the pages of some memory shall lie.
struct MemoryHome {
  enum class Kind {
    kFirstTouch,  // on the node of the thread that first writes to them
    kOn,          // on nodes[0] and nowhere else: the kernel rather ends a process than break that,
                  // so the caller has made sure that there is room
    kNear,        // on nodes[0] while it has room
    kInterleave,  // in turn on all of `nodes`
  };
  Kind kind = Kind::kFirstTouch;
  std::vector<int> nodes;  // the system's numbers, ascending

  bool operator==(const MemoryHome&) const = default;
};

/// Gives pages that nobody has touched yet their home. False if the system refuses (some containers
/// forbid it): then first touch decides.
bool bind_memory(std::byte* data, std::size_t bytes, const MemoryHome& home);

/// What a node has left, in bytes.
struct NodeMemory {
  /// Free, or holding what can be read again from disk, less what the kernel gives to nobody.
  std::size_t available = 0;
  std::size_t free_huge_pages = 0;  // in reserved 2 MiB pages
};

/// Reads /sys/devices/system/node and /proc/zoneinfo. A node that isn't there has nothing.
NodeMemory node_memory(int os_index);

}  // namespace leyden::runtime
