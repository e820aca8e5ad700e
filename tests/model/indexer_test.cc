#include "src/model/indexer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "src/model/synthetic.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

/// Noise in a cache of some hundred tokens, and queries of successive tokens that wander slowly.
class IndexerTest : public testing::TestWithParam<simd::IndexFormat> {
 protected:
  static constexpr std::int32_t kTokens = 1500;
  static constexpr int kChunk = 100, kHeads = 8, kDim = 32, kWidth = kHeads * kDim;

  IndexerTest() {
    runtime::ThreadTeam team(1);
    cache_.reserve(0, kTokens);
    fill_cache(config_, cache_, 0, kTokens, team);
  }

  /// Puts the query of a position into chunk token t.
  void prepare(Indexer& indexer, int t, std::int32_t position) {
    const auto q = std::span(q_).subspan(static_cast<std::size_t>(t) * kWidth, kWidth);
    const auto weights = std::span(weights_).subspan(static_cast<std::size_t>(t) * kHeads, kHeads);
    std::mt19937 common(1), own(static_cast<unsigned>(position));
    std::normal_distribution<float> normal;
    for (float& x : q) x = normal(common) + 0.2f * normal(own);
    for (float& x : weights) x = normal(common);
    const std::vector<float> cos(8, 1.0f), sin(8, 0.0f);
    indexer.prepare_query(t, {cos.data(), sin.data()}, q.data(), weights.data());
  }

  /// What a full sort chooses for the query of a position.
  std::vector<std::int32_t> sorted(std::int32_t position) {
    Indexer alone(config_, GetParam(), 1, runtime::unbound_crew(1));
    prepare(alone, 0, position);
    // The query is rotated now, and its weights carry the scales of its codes; here are the codes.
    const simd::Kernels& k = simd::kernels(simd::Isa::kScalar);
    std::vector<std::int8_t> codes(kWidth);
    std::vector<std::int32_t> starts(kHeads);
    std::vector<float> ignored(kHeads);
    k.index_quantize_query(q_.data(), kHeads, kDim, codes.data(), starts.data(), ignored.data());
    std::vector<std::int32_t> positions(static_cast<std::size_t>(position) + 1);
    std::iota(positions.begin(), positions.end(), 0);
    std::vector<const std::byte*> tiles;
    for (const std::int32_t p : positions) tiles.push_back(cache_.index_tile(1, p));
    std::vector<float> score(positions.size());
    const auto score_keys = GetParam() == simd::IndexFormat::kInt8   ? k.index_score_int8
                            : GetParam() == simd::IndexFormat::kBf16 ? k.index_score_bf16
                                                                     : k.index_score_f32;
    score_keys({tiles.data(),
                positions.data(),
                static_cast<std::int32_t>(positions.size()),
                {kHeads, kDim, q_.data(), codes.data(), starts.data(), weights_.data()},
                score.data()});
    std::ranges::stable_sort(positions, [&](std::int32_t a, std::int32_t b) {
      return score[static_cast<std::size_t>(a)] > score[static_cast<std::size_t>(b)];
    });
    positions.resize(
        std::min<std::size_t>(positions.size(), static_cast<std::size_t>(config_.index_topk)));
    std::ranges::sort(positions);
    return positions;
  }

  static std::vector<std::int32_t> chosen(const Indexer& indexer, int t) {
    const auto selection = indexer.selection(t);
    return {selection.begin(), selection.end()};
  }

  const formats::ModelConfig config_ =
      formats::Checkpoint::open(golden_checkpoint("v32-tiny-fp8"))->config();
  KvCache cache_{config_, {simd::KvFormat::kBf16, GetParam()}};
  std::vector<float> q_ = std::vector<float>(kChunk * kWidth);
  std::vector<float> weights_ = std::vector<float>(kChunk * kHeads);
};

TEST_P(IndexerTest, DecodingChoosesWhatAFullSortChooses) {
  for (const int threads : {1, 2, 8, 16, 19}) {
    runtime::ThreadTeam team(threads);
    Indexer indexer(config_, GetParam(), 4, team.crew());
    // Onwards, far ahead, and back to where what was chosen last doesn't exist yet.
    for (const std::int32_t position : {32, 33, 500, 501, 502, 1400, 1401, 60, 61, 1499}) {
      prepare(indexer, 0, position);
      indexer.select(team, cache_, 1, 0, 1, position);
      EXPECT_EQ(chosen(indexer, 0), sorted(position)) << position << ", threads " << threads;
    }
  }
}

TEST_P(IndexerTest, AChunkChoosesWhatItsTokensChooseAlone) {
  std::vector<std::vector<std::int32_t>> expected;
  for (int t = 0; t < kChunk; ++t) expected.push_back(sorted(700 + t));
  for (const int threads : {1, 3, 8}) {
    runtime::ThreadTeam team(threads);
    Indexer indexer(config_, GetParam(), kChunk, team.crew());
    for (const int begin : {0, 90}) {  // a chunk's first tokens may be dense
      for (int t = begin; t < kChunk; ++t) prepare(indexer, t, 700 + t);
      indexer.select(team, cache_, 1, begin, kChunk, 700);
      for (int t = begin; t < kChunk; ++t) {
        EXPECT_EQ(chosen(indexer, t), expected[static_cast<std::size_t>(t)])
            << t << ", threads " << threads;
      }
    }
  }
}

TEST_P(IndexerTest, ATokenWithoutASingleScoreSeesItself) {
  for (const int threads : {1, 16}) {
    runtime::ThreadTeam team(threads);
    Indexer indexer(config_, GetParam(), kChunk, team.crew());
    for (int t = 0; t < kChunk; ++t) prepare(indexer, t, 700 + t);
    std::ranges::fill(weights_, std::numeric_limits<float>::quiet_NaN());
    indexer.select(team, cache_, 1, 0, kChunk, 700);
    for (const int t : {0, 1, 57, 99}) {
      EXPECT_EQ(chosen(indexer, t), std::vector{700 + t}) << "threads " << threads;
    }
    indexer.select(team, cache_, 1, 0, 1, 700);
    EXPECT_EQ(chosen(indexer, 0), std::vector{700}) << "threads " << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, IndexerTest,
                         testing::Values(simd::IndexFormat::kF32, simd::IndexFormat::kBf16,
                                         simd::IndexFormat::kInt8));

}  // namespace
}  // namespace leyden::model
