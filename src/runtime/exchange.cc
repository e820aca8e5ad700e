#include "src/runtime/exchange.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>

#include "src/runtime/spin.h"

namespace leyden::runtime {
namespace {

/// Small enough that the threads of a node share the copying of one token's activations.
constexpr std::size_t kPartBytes = 2048;

constexpr std::size_t parts_of(std::size_t bytes) { return (bytes + kPartBytes - 1) / kPartBytes; }

/// Of a part in a node's buffer.
enum State : unsigned char { kOutdated, kBeingCopied, kThere };

}  // namespace

Exchange::Exchange(const Crew& crew, std::size_t bytes)
    : buffers_(crew, parts_of(bytes) * kPartBytes + (crew.n_nodes() > 1 ? parts_of(bytes) : 0)),
      bytes_(bytes) {}

unsigned char* Exchange::states(int node) const {
  return reinterpret_cast<unsigned char*>(buffers_.on(node)) + parts_of(bytes_) * kPartBytes;
}

void Exchange::begin(std::size_t bytes) {
  assert(bytes <= bytes_);
  for (int node = 1; node < n_nodes(); ++node) {
    std::memset(states(node), kOutdated, parts_of(bytes));
  }
}

int Exchange::fetch(int node, std::size_t from, std::size_t bytes) const {
  const std::size_t first = from / kPartBytes, end = parts_of(from + bytes);
  unsigned char* const states = this->states(node);
  bool others_copy = false;
  for (std::size_t part = first; part < end; ++part) {
    const std::atomic_ref<unsigned char> state(states[part]);
    unsigned char seen = state.load(std::memory_order_acquire);
    if (seen == kOutdated &&
        state.compare_exchange_strong(seen, kBeingCopied, std::memory_order_acquire)) {
      const std::size_t at = part * kPartBytes;
      std::memcpy(buffers_.on(node) + at, data() + at, kPartBytes);
      state.store(kThere, std::memory_order_release);
    } else if (seen == kBeingCopied) {
      others_copy = true;
    }
  }
  for (std::size_t part = first; others_copy && part < end; ++part) {
    const std::atomic_ref<unsigned char> state(states[part]);
    // Any copy takes less, unless its thread was interrupted.
    if (!spin_until([&] { return state.load(std::memory_order_acquire) == kThere; })) return 0;
  }
  return node;
}

}  // namespace leyden::runtime
