#include "src/model/dense_attention.h"

#include <gtest/gtest.h>

namespace leyden::model {
namespace {

// A chunk of 2048 queries and as many keys, at V3's sizes.
constexpr std::int64_t kDecompressing = std::int64_t{2048} * 512 * (128 + 128) / 2;
constexpr std::int64_t kAttending = std::int64_t{2048} * 2048 / 2 * (128 + 64 + 128);

TEST(QueryBlocks, FewThreadsTakeAHeadWithAllItsQueries) {
  for (const int threads : {1, 2, 8, 32, 64, 128}) {
    EXPECT_EQ(query_blocks(128, kDecompressing, kAttending, threads), 1) << threads;
  }
  EXPECT_EQ(query_blocks(16, kDecompressing, kAttending, 16), 1);
}

TEST(QueryBlocks, ThreadsBeyondTheHeadsHaveWork) {
  EXPECT_EQ(query_blocks(16, kDecompressing, kAttending, 64), 4);
  EXPECT_EQ(query_blocks(16, kDecompressing, kAttending, 96), 6);
  EXPECT_EQ(query_blocks(128, kDecompressing, kAttending, 256), 2);
}

TEST(QueryBlocks, NoThreadWaitsForARoundThatFewTakePartIn) {
  // 128 heads would keep 32 of the 96 busy in a second round.
  EXPECT_GT(query_blocks(128, kDecompressing, kAttending, 96), 1);
}

TEST(QueryBlocks, DecompressingAgainMustPay) {
  EXPECT_EQ(query_blocks(128, kDecompressing, kDecompressing / 8, 96), 1);
}

}  // namespace
}  // namespace leyden::model
