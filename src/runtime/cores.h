#pragma once

namespace leyden::runtime {

/// Physical cores this process may use at the same time: those with a hardware thread in the
/// caller's affinity mask and in its cpuset, no more than the cgroup's CPU quota. At least 1.
int usable_cores();

}  // namespace leyden::runtime
