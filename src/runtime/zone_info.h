#pragma once

#include <cstddef>
#include <istream>

namespace leyden::runtime {

/// What the kernel keeps of a node's memory and gives to no program, in bytes: of every zone its
/// high watermark, that raised by `boost` (vm.watermark_boost_factor / 10000: so far the kernel may
/// raise it for a while), and what it spares for those who need low addresses
/// (vm.lowmem_reserve_ratio). `zones` is the text of /proc/zoneinfo; a node that isn't there keeps
/// nothing.
std::size_t kept_by_kernel(std::istream& zones, int os_index, double boost);

}  // namespace leyden::runtime
