#include "src/model/mla_choice.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/model/synthetic.h"

namespace leyden::model {
namespace {

/// Of V3.2's sizes; with an indexer, queries from position 2048 on choose.
int decompressed(std::int32_t first_position, int n, bool is_fixed = true,
                 const char* shape = "v3.2") {
  const formats::ModelConfig config = synthetic_config(shape, 1, 1);
  const int n_dense =
      config.has_indexer() ? std::clamp(config.index_topk - first_position, 0, n) : n;
  return cheaper_decompressed(config, {first_position, n, n_dense}, is_fixed, true);
}

TEST(MlaChoice, DecompressesLongChunksAndTheVeryBeginning) {
  for (const char* const shape : {"v3.2", "v3"}) {
    EXPECT_EQ(decompressed(0, 2048, true, shape), 2048) << shape;
    EXPECT_EQ(decompressed(1000, 512, true, shape), 512) << shape;
    EXPECT_EQ(decompressed(1000, 1, true, shape), 0) << shape << ": a token that is generated";
  }
  EXPECT_EQ(decompressed(60000, 512, true, "v3"), 512) << "dense attention at any depth";
}

TEST(MlaChoice, DecompressesWhatChoosesWhileThatIsNotMuchOfTheContext) {
  EXPECT_EQ(decompressed(2048, 2048), 2048);
  EXPECT_EQ(decompressed(4096, 512), 512);
  EXPECT_EQ(decompressed(2048, 1), 0);
  const int some = decompressed(4096, 4096);  // up to the border between both
  EXPECT_GT(some, 1500);
  EXPECT_LT(some, 3000);
  EXPECT_EQ(decompressed(4096 + some, 2048), 0) << "from the border on";
  EXPECT_EQ(decompressed(16384, 512), 0);
}

TEST(MlaChoice, OfAChunkThatBeginsToChooseTakesBothKindsTogether) {
  EXPECT_EQ(decompressed(1024, 2048), 2048);
  EXPECT_EQ(decompressed(0, 8192), decompressed(4096, 4096) + 4096);
  EXPECT_EQ(decompressed(1024, 2048, /*is_fixed=*/false), 1024) << "floats choose slowly";
}

}  // namespace
}  // namespace leyden::model
