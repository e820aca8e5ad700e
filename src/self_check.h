#pragma once

#include <optional>
#include <string>

namespace leyden {

/// Seconds since some start: of the clock, of this process on any core, of everything else that ran
/// on this machine, and of what its host took away.
struct CpuTimes {
  double wall = 0, own = 0, others = 0, stolen = 0;
};

/// Now, from /proc/stat and getrusage; what can't be read is 0.
CpuTimes cpu_times();

/// A sentence when others, or the host, used so much of the machine in between that a measurement
/// is worth little: more than 5 % of one core.
std::optional<std::string> complain_of_others(const CpuTimes& before, const CpuTimes& after);

/// Bytes of this process that lie in memory, and how many of them in huge pages.
struct ResidentMemory {
  double bytes = 0, huge_bytes = 0;
};

/// From /proc/self/smaps_rollup; zeros when that can't be read.
ResidentMemory resident_memory();

/// A sentence when more than a tenth lies in small pages, which costs up to a third of the read
/// bandwidth.
std::optional<std::string> complain_of_small_pages(const ResidentMemory& memory);

}  // namespace leyden
