#include "src/model/latent_attention.h"

#include <gtest/gtest.h>

namespace leyden::model {
namespace {

TEST(HeadsPerCall, FewThreadsTakeAChunkWithAllItsHeads) {
  EXPECT_EQ(heads_per_call(128, 8, 1), 128);
  EXPECT_EQ(heads_per_call(128, 8, 2), 128);
  EXPECT_EQ(heads_per_call(128, 8, 8), 128);
  EXPECT_EQ(heads_per_call(16, 32, 16), 16);
}

TEST(HeadsPerCall, MoreThreadsThanChunksDivideTheHeads) {
  EXPECT_EQ(heads_per_call(128, 8, 16), 64);
  EXPECT_EQ(heads_per_call(128, 8, 32), 32);
  EXPECT_EQ(heads_per_call(128, 8, 64), 16);
  EXPECT_EQ(heads_per_call(128, 8, 192), 8);
  EXPECT_EQ(heads_per_call(128, 1, 64), 8);
}

TEST(HeadsPerCall, PackingMoreOftenMustPay) {
  // Calls of 32 heads would keep five threads equally busy, but pack every chunk four times.
  EXPECT_EQ(heads_per_call(128, 8, 5), 128);
}

TEST(HeadsPerCall, NoThreadWaitsForARoundThatFewTakePartIn) {
  // 32 heads would make 32 calls: 8 threads would take two, the others wait.
  EXPECT_EQ(heads_per_call(128, 8, 24), 48);
}

TEST(HeadsPerCall, IsOneToAllHeads) {
  for (const int heads : {1, 3, 7, 8, 20, 128}) {
    for (const int chunks : {1, 2, 5, 8, 32}) {
      for (const int threads : {1, 2, 3, 7, 64, 192, 1000}) {
        const int n = heads_per_call(heads, chunks, threads);
        EXPECT_GE(n, 1);
        EXPECT_LE(n, heads);
      }
    }
  }
}

TEST(QueriesAtATime, AreEquallyManyForEveryThread) {
  for (const int threads : {1, 2, 3, 24, 31, 32, 33, 64, 192}) {
    const int n = queries_at_a_time(2048, threads);
    EXPECT_EQ(n % threads, 0) << threads;
    EXPECT_GE(n, 32) << threads;
    EXPECT_LT(n, 32 + threads) << threads;
  }
  EXPECT_EQ(queries_at_a_time(1, 64), 1);
  EXPECT_EQ(queries_at_a_time(40, 33), 33);
}

TEST(SideBySide, ChunksOfOneQueryAreSpread) {
  for (const int threads : {2, 8, 33, 192}) {
    EXPECT_TRUE(side_by_side_pays(128, 1, 8, threads)) << threads;
    EXPECT_TRUE(side_by_side_pays(128, 1, 640, threads)) << threads;
  }
  EXPECT_FALSE(side_by_side_pays(128, 1, 8, 1));
  EXPECT_FALSE(side_by_side_pays(128, 1, 1, 64));  // nothing to merge
}

TEST(SideBySide, ChunksAreNotPackedForEveryFewHeadsWhereQueriesAreMany) {
  EXPECT_FALSE(side_by_side_pays(128, 32, 8, 33));
  EXPECT_FALSE(side_by_side_pays(128, 64, 8, 192));
  for (const int threads : {1, 2, 24, 33, 64, 128, 192}) {
    EXPECT_FALSE(side_by_side_pays(128, queries_at_a_time(2048, threads), 8, threads)) << threads;
  }
}

}  // namespace
}  // namespace leyden::model
