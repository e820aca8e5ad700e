#include "src/runtime/cores.h"

#include "src/runtime/topology.h"

namespace leyden::runtime {

int usable_cores() { return read_topology().usable_cores(); }

}  // namespace leyden::runtime
