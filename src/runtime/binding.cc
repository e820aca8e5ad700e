#include "src/runtime/binding.h"

#include "src/runtime/hwloc_handle.h"

namespace leyden::runtime {

ThreadBinding::ThreadBinding(int cpu) {
  const hwloc_topology_t machine = machine_topology();
  if (cpu < 0 || machine == nullptr) return;
  HwlocBitmap before = make_bitmap(), wanted = make_bitmap();
  hwloc_bitmap_only(wanted.get(), static_cast<unsigned>(cpu));
  if (hwloc_get_cpubind(machine, before.get(), HWLOC_CPUBIND_THREAD) != 0 ||
      hwloc_set_cpubind(machine, wanted.get(), HWLOC_CPUBIND_THREAD) != 0) {
    return;
  }
  before_ = before.release();
}

ThreadBinding::~ThreadBinding() {
  if (before_ == nullptr) return;
  const HwlocBitmap before(static_cast<hwloc_bitmap_t>(before_), hwloc_bitmap_free);
  hwloc_set_cpubind(machine_topology(), before.get(), HWLOC_CPUBIND_THREAD);
}

}  // namespace leyden::runtime
