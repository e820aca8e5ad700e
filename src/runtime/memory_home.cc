#include "src/runtime/memory_home.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "src/runtime/hwloc_handle.h"
#include "src/runtime/zone_info.h"

namespace leyden::runtime {
namespace {

hwloc_membind_policy_t policy_of(MemoryHome::Kind kind) {
  return kind == MemoryHome::Kind::kInterleave ? HWLOC_MEMBIND_INTERLEAVE : HWLOC_MEMBIND_BIND;
}

std::size_t kept_of(int os_index) {
  double boost = 15000;  // Linux' default
  std::ifstream("/proc/sys/vm/watermark_boost_factor") >> boost;
  std::ifstream zones("/proc/zoneinfo");
  return kept_by_kernel(zones, os_index, boost / 10000);
}

}  // namespace

bool bind_memory(std::byte* data, std::size_t bytes, const MemoryHome& home) {
  if (home.kind == MemoryHome::Kind::kFirstTouch || bytes == 0) return true;
  const hwloc_topology_t machine = machine_topology();
  if (machine == nullptr) return false;
  const HwlocBitmap nodes = make_bitmap();
  for (const int node : home.nodes) hwloc_bitmap_set(nodes.get(), static_cast<unsigned>(node));
  int flags = HWLOC_MEMBIND_BYNODESET;
  if (home.kind == MemoryHome::Kind::kOn) flags |= HWLOC_MEMBIND_STRICT;
  return hwloc_set_area_membind(machine, data, bytes, nodes.get(), policy_of(home.kind), flags) ==
         0;
}

NodeMemory node_memory(int os_index) {
  const std::string folder = fmt::format("/sys/devices/system/node/node{}/", os_index);
  NodeMemory memory;
  std::ifstream in(folder + "meminfo");
  // "Node 0 MemFree:   12345 kB"
  std::string word, number, key;
  for (std::size_t kib = 0; in >> word >> number >> key >> kib; in.ignore(64, '\n')) {
    if (key == "MemFree:" || key == "Active(file):" || key == "Inactive(file):" ||
        key == "SReclaimable:") {
      memory.available += kib << 10;
    }
  }
  memory.available -= std::min(memory.available, kept_of(os_index));
  std::ifstream reserved(folder + "hugepages/hugepages-2048kB/free_hugepages");
  std::size_t pages = 0;
  if (reserved >> pages) memory.free_huge_pages = pages * kHugePage;
  return memory;
}

}  // namespace leyden::runtime
