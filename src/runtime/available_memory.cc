#include "src/runtime/available_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <limits>

#include "src/runtime/cgroup.h"

namespace leyden::runtime {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

std::uint64_t system_memory() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  for (std::uint64_t kib = 0; in >> key >> kib; in.ignore(64, '\n')) {
    if (key == "MemAvailable:") return kib << 10;
  }
  return kUnlimited;
}

std::uint64_t address_space() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  std::ifstream in("/proc/self/statm");
  std::uint64_t pages = 0;
  in >> pages;
  const std::uint64_t used = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

}  // namespace

AvailableMemory available_memory() {
  AvailableMemory least = {system_memory(), "free memory"};
  const auto consider = [&least](std::uint64_t bytes, const char* limit) {
    if (bytes < least.bytes) least = {bytes, limit};
  };
  consider(cgroup_memory().value_or(kUnlimited), "the cgroup's limit");
  consider(address_space(), "ulimit -v");
  return least;
}

}  // namespace leyden::runtime
