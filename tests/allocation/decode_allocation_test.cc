#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "src/session.h"

// This program counts what operator new is asked for, so it holds this one claim only.
namespace {

std::atomic<long> allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace leyden {
namespace {

TEST(Decoding, AllocatesNothingWithinAPageOfTheCache) {
  EngineOptions options;
  options.threads = 2;
  const auto engine =
      Engine::load(std::string(LEYDEN_SOURCE_DIR) + "/models/demo/checkpoint", options);
  Session session(engine);
  // Past index_topk (64), so that the indexer selects too; within the first 256 tokens.
  session.prefill(std::vector<std::int32_t>(100, 5));
  session.decode(7);
  const long before = allocations;
  EXPECT_GT(before, 0);  // it does count
  for (std::int32_t token = 10; token < 60; ++token) session.decode(token);
  EXPECT_EQ(allocations - before, 0);
}

}  // namespace
}  // namespace leyden
