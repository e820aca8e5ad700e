#pragma once

#include <hwloc.h>

#include <memory>

namespace leyden::runtime {

using HwlocTopology = std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)>;
using HwlocBitmap = std::unique_ptr<hwloc_bitmap_s, decltype(&hwloc_bitmap_free)>;

inline HwlocBitmap make_bitmap() { return {hwloc_bitmap_alloc(), hwloc_bitmap_free}; }

/// This machine, read once; null if hwloc can't. Several threads may use it to bind and to ask.
hwloc_topology_t machine_topology();

}  // namespace leyden::runtime
