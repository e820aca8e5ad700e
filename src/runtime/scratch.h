#pragma once

#include <cstddef>
#include <vector>

#include "src/runtime/crew.h"
#include "src/runtime/memory.h"

namespace leyden::runtime {

/// Per-thread working space of kernels, in memory of the thread's node. Threads of different nodes
/// share no page of it.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Crew& crew, std::size_t bytes_per_thread);
  std::byte* of(int worker) const { return of_[static_cast<std::size_t>(worker)]; }

 private:
  std::vector<Memory> memory_;  // of each node
  std::vector<std::byte*> of_;  // of each worker
};

}  // namespace leyden::runtime
