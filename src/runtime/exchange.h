#pragma once

#include <cstddef>

#include "src/runtime/node_buffers.h"

namespace leyden::runtime {

/// A buffer that some threads write and the threads of every NUMA node then read: activations.
/// Writers write the first node's; what threads of another node read, they copy into a buffer of
/// their own node first, part by part, whoever needs a part before the others. So a byte crosses to
/// a node once, however many threads and caches the node has, and no fork-join is needed for it.
/// With one node there is one buffer, and nothing is copied.
///
/// begin() stands between the last reading of the old contents and the first of the new ones; they
/// are written before that. Fork-joins keep the three apart.
class Exchange {
 public:
  Exchange() = default;
  /// Errors: std::bad_alloc.
  Exchange(const Crew& crew, std::size_t bytes);

  int n_nodes() const { return buffers_.n_nodes(); }
  std::size_t bytes() const { return bytes_; }
  /// Where to write.
  std::byte* data() const { return buffers_.on(0); }
  /// The buffer of a node; what it has of the contents, source() says.
  const std::byte* on(int node) const { return buffers_.on(node); }

  /// There are new contents, `bytes` of them: all copies are outdated.
  void begin(std::size_t bytes);

  /// On a thread of `node`: makes bytes [from, from + bytes) available and says in which node's
  /// buffer to read them. That is its own, unless another thread has begun to copy a part of them
  /// and doesn't finish soon (its core is busy with someone else): then it is the first's.
  int source(int node, std::size_t from, std::size_t bytes) const {
    return node == 0 ? 0 : fetch(node, from, bytes);
  }

 private:
  int fetch(int node, std::size_t from, std::size_t bytes) const;
  unsigned char* states(int node) const;

  NodeBuffers buffers_;  // of each node: the contents, then the states of their parts
  std::size_t bytes_ = 0;
};

}  // namespace leyden::runtime
