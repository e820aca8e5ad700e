#pragma once

namespace leyden::runtime {

/// Physical cores this process may use: the machine's cores that have at least one hardware thread
/// in the process' affinity mask (hwloc honours cpusets and containers). At least 1.
int usable_cores();

}  // namespace leyden::runtime
