#include "src/runtime/scratch.h"

namespace leyden::runtime {

Scratch::Scratch(const Crew& crew, std::size_t bytes_per_thread) {
  // Prefetchers follow a thread beyond the end of its part. What lies there must not be what the
  // next thread writes: without the gap two threads lose a fifth with AMX (bench/RESULTS.md).
  constexpr std::size_t kPage = 4096, kGap = 2 * kPage;
  const std::size_t stride = (bytes_per_thread + kPage - 1) / kPage * kPage + kGap;
  for (int node = 0; node < crew.n_nodes(); ++node) {
    const auto n = static_cast<std::size_t>(crew.size_of(node));  // workers ascend by node
    const Memory& memory = memory_.emplace_back(n * stride, HugePages::kAuto, crew.near(node));
    for (std::size_t i = 0; i < n; ++i) of_.push_back(memory.data() + i * stride);
  }
}

}  // namespace leyden::runtime
