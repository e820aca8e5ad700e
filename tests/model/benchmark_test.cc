#include "src/benchmark.h"

#include <gtest/gtest.h>

#include "src/session.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

TEST(Benchmark, AlsoTimesTheLastChunkOfAPrompt) {
  EngineOptions options;
  options.threads = 1;
  options.prefill_chunk = 8;
  Session session(Engine::load(model::golden_checkpoint("v32-tiny-fp8"), options));
  ASSERT_EQ(session.append_noise(3), SessionStatus::kOk);
  const auto measured = [&](const char* test, int n) {
    BenchmarkRow row;
    row.test = test;
    row.n = n;
    row.depth = 3;
    row = measure_row(session, row, 2);
    EXPECT_EQ(row.samples.size(), 2u);
    EXPECT_GT(row.tokens_per_second, 0);
    EXPECT_EQ(session.position(), 3);
    return row;
  };
  const BenchmarkRow row = measured("prefill", 20);
  EXPECT_EQ(row.last_chunk, 4);
  EXPECT_GT(row.last_chunk_tokens_per_second, 0);
  EXPECT_EQ(measured("prefill", 17).last_chunk, 1);
  EXPECT_EQ(measured("prefill", 16).last_chunk, 8);
  EXPECT_EQ(measured("prefill", 8).last_chunk, 0) << "there is one";
  EXPECT_EQ(measured("decode", 9).last_chunk, 0);
}

}  // namespace
}  // namespace leyden
