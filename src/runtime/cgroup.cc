#include "src/runtime/cgroup.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace leyden::runtime {
namespace {

std::optional<std::uint64_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;  // absent, or "max"
}

/// What the kernel takes back when the group needs it; MemAvailable counts the same as free.
std::uint64_t reclaimable_in(const std::string& folder) {
  std::ifstream in(folder + "/memory.stat");
  std::uint64_t sum = 0, bytes = 0;
  for (std::string key; in >> key >> bytes;) {
    if (key == "inactive_file" || key == "active_file" || key == "slab_reclaimable") sum += bytes;
  }
  return sum;
}

/// The least of what `limit` says of a group's folder, for this process' group and those above it.
template <class Limit>
auto least_of_groups(const Limit& limit) -> decltype(limit(std::string())) {
  decltype(limit(std::string())) least;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("0::/")) continue;
    for (std::string path = line.substr(3);; path.erase(path.rfind('/'))) {
      const auto found = limit("/sys/fs/cgroup" + path);
      if (found && (!least || *found < *least)) least = found;
      if (path.empty() || path == "/") break;
    }
  }
  return least;
}

}  // namespace

std::optional<std::uint64_t> memory_left_in(const std::string& folder) {
  const auto most = number_in(folder + "/memory.max");
  const auto used = number_in(folder + "/memory.current");
  if (!most || !used) return std::nullopt;
  const std::uint64_t held = *used - std::min(*used, reclaimable_in(folder));
  return *most > held ? *most - held : 0;
}

std::optional<std::uint64_t> cgroup_memory() { return least_of_groups(memory_left_in); }

std::optional<std::uint64_t> huge_pages_left_in(const std::string& folder) {
  const std::string pages = folder + "/hugetlb.2MB.";
  const auto in_use = number_in(pages + "max"), promised = number_in(pages + "rsvd.max");
  if (!in_use && !promised) return std::nullopt;
  const std::uint64_t most = std::min(in_use.value_or(UINT64_MAX), promised.value_or(UINT64_MAX));
  const std::uint64_t used = std::max(number_in(pages + "current").value_or(0),
                                      number_in(pages + "rsvd.current").value_or(0));
  return most - std::min(most, used);
}

std::optional<std::uint64_t> cgroup_huge_pages() { return least_of_groups(huge_pages_left_in); }

std::optional<double> cgroup_cpus() {
  return least_of_groups([](const std::string& folder) -> std::optional<double> {
    std::ifstream in(folder + "/cpu.max");
    double quota = 0, period = 0;
    if (!(in >> quota >> period) || period <= 0) return std::nullopt;
    return quota / period;
  });
}

}  // namespace leyden::runtime
