#pragma once

#include <cstddef>
#include <vector>

#include "src/runtime/crew.h"
#include "src/runtime/memory.h"

namespace leyden::runtime {

/// As many bytes, zeroed, in the memory of every node that a crew works on. They are bound before
/// anybody touches them, and no two nodes share a page. With one node: one buffer, bound to
/// nothing.
class NodeBuffers {
 public:
  NodeBuffers() = default;
  /// Errors: std::bad_alloc.
  NodeBuffers(const Crew& crew, std::size_t bytes) {
    for (int node = 0; node < crew.n_nodes(); ++node) {
      memory_.emplace_back(bytes, HugePages::kAuto, crew.near(node));
    }
  }

  int n_nodes() const { return static_cast<int>(memory_.size()); }
  std::size_t bytes() const { return memory_.empty() ? 0 : memory_.front().size(); }
  std::byte* on(int node) const { return memory_[static_cast<std::size_t>(node)].data(); }

 private:
  std::vector<Memory> memory_;
};

}  // namespace leyden::runtime
