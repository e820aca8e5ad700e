#include "src/self_check.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

namespace leyden {
namespace {

constexpr double kTolerableCores = 0.05;
constexpr double kTolerableSmallShare = 0.1;
constexpr double kTolerableSmallBytes = 256e6;  // a program, and what a cache may hold

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
}

}  // namespace

CpuTimes cpu_times() {
  CpuTimes times;
  times.wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  times.own = seconds(usage.ru_utime) + seconds(usage.ru_stime);

  std::ifstream stat("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  if (!(stat >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) {
    return times;
  }
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  times.others = (user + nice + system + irq + softirq) / ticks - times.own;
  times.stolen = steal / ticks;
  return times;
}

std::optional<std::string> complain_of_others(const CpuTimes& before, const CpuTimes& after) {
  const double wall = after.wall - before.wall;
  const double others = (after.others - before.others) / wall;
  const double stolen = (after.stolen - before.stolen) / wall;
  if (others > kTolerableCores) {
    return fmt::format("other processes used {:.2f} cores meanwhile", others);
  }
  if (stolen > kTolerableCores) {
    return fmt::format("the host of this virtual machine took away {:.2f} cores meanwhile", stolen);
  }
  return std::nullopt;
}

ResidentMemory resident_memory() {
  ResidentMemory memory;
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string line;
  while (std::getline(rollup, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string field = line.substr(0, colon);
    const double bytes = 1024 * std::strtod(line.c_str() + colon + 1, nullptr);
    if (field == "Rss") memory.bytes += bytes;
    if (field == "AnonHugePages" || field == "FilePmdMapped") memory.huge_bytes += bytes;
    if (field == "Private_Hugetlb" || field == "Shared_Hugetlb") {  // not part of Rss
      memory.bytes += bytes;
      memory.huge_bytes += bytes;
    }
  }
  return memory;
}

std::optional<std::string> complain_of_small_pages(const ResidentMemory& memory) {
  const double small = memory.bytes - memory.huge_bytes;
  if (small <= std::max(kTolerableSmallShare * memory.bytes, kTolerableSmallBytes)) {
    return std::nullopt;
  }
  return fmt::format(
      "{:.1f} of {:.1f} GB lie in 4 KiB pages, which are slower to read (see "
      "--huge-pages)",
      small / 1e9, memory.bytes / 1e9);
}

}  // namespace leyden
