#include "src/model/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "src/model/linear.h"
#include "src/model/placed_tensor.h"
#include "tests/model/every_policy.h"

namespace leyden::model {
namespace {

using quant::Layout;
using quant::TensorSpec;
using quant::WeightFormat;
using testing::ElementsAre;

const TensorSpec kExperts = {
    "layers.1.experts.down", Layout::kTiles, WeightFormat::kInt4, 6, 200, 300};
const TensorSpec kHeads = {"layers.1.attn.k_b", Layout::kTiles, WeightFormat::kInt4, 5, 32, 128};
const TensorSpec kGate = {"layers.2.shared.gate", Layout::kTiles, WeightFormat::kInt8, 1, 384, 128};
const TensorSpec kHead = {"head", Layout::kTiles, WeightFormat::kBf16, 1, 100, 200};
const TensorSpec kNorm = {"final_norm", Layout::kRows, WeightFormat::kF32, 1, 1, 300};
const std::vector<TensorSpec> kAll = {kNorm, kExperts, kHeads, kGate, kHead};

TEST(Divide, GivesEveryoneTheirShareOverManyTurns) {
  for (const std::vector<int>& weights :
       {std::vector{1}, std::vector{1, 1}, std::vector{3, 1}, std::vector{2, 5, 1}}) {
    const int total = std::accumulate(weights.begin(), weights.end(), 0);
    for (const std::int64_t n : {0, 1, 7, 56}) {
      std::vector<std::int64_t> sum(weights.size());
      for (int turn = 0; turn < total; ++turn) {
        const std::vector<std::int64_t> begin = divide(n, weights, turn);
        ASSERT_EQ(begin.size(), weights.size() + 1);
        ASSERT_EQ(begin.front(), 0);
        ASSERT_EQ(begin.back(), n);
        for (std::size_t k = 0; k < weights.size(); ++k) sum[k] += begin[k + 1] - begin[k];
      }
      for (std::size_t k = 0; k < weights.size(); ++k) EXPECT_EQ(sum[k], n * weights[k]);
    }
  }
}

TEST(Placement, SplitsByRowsAndHeads) {
  const Placement p = place_tensors(kAll, NumaPolicy::kSplit, std::vector{8, 8});
  EXPECT_THAT(p.tensors[1].row_begin, ElementsAre(0, 112, 200));  // 13 tiles, the odd one: turn 1
  EXPECT_THAT(p.tensors[2].node_of, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_THAT(p.tensors[3].row_begin, ElementsAre(0, 128, 384));  // whole blocks of 128
  EXPECT_EQ(p.tensors[0].node_of.size(), 1u);
}

TEST(Placement, WholeBalancesExpertsByTheirUse) {
  ExpertCounts counts = {{}, {1, 50, 1, 40, 1, 1}};
  const Placement p = place_tensors(kAll, NumaPolicy::kWhole, std::vector{1, 1}, counts);
  // 50 | 40, then the rare ones to the second node until it has its half of the experts.
  EXPECT_THAT(p.tensors[1].node_of, ElementsAre(1, 0, 1, 1, 0, 0));
  const Placement even = place_tensors(kAll, NumaPolicy::kWhole, std::vector{1, 1});
  EXPECT_THAT(even.tensors[1].node_of, ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST(Placement, UnevenNodesGetUnevenShares) {
  const Placement p = place_tensors(kAll, NumaPolicy::kSplit, std::vector{6, 2});
  EXPECT_THAT(p.tensors[4].row_begin, ElementsAre(0, 80, 100));
  EXPECT_GT(p.arena_bytes[0], 2 * p.arena_bytes[1]);
}

LEYDEN_EVERY_POLICY(EveryPolicy);

TEST_P(EveryPolicy, ANameWhoseLayerIsNoNumberFromZeroOnCountsAsLayerZero) {
  TensorSpec spec = kHeads;
  for (const char* name :
       {"layers.-1.attn.k_b", "layers.x.attn.k_b", "layers.99999999999999999999.attn.k_b"}) {
    spec.name = name;
    EXPECT_EQ(layer_of(name), 0) << name;
    const Placement p = place_tensors(std::span(&spec, 1), GetParam(), std::vector{1, 1});
    EXPECT_EQ(p.tensors[0].node_of.size(), 5u) << name;
  }
}

TEST_P(EveryPolicy, SegmentsPutEveryByteInItsPlaceOnce) {
  for (const std::vector<int>& workers : {std::vector{1}, std::vector{1, 1}, std::vector{3, 1, 2},
                                          std::vector{1, 1, 1, 1, 1, 1, 1, 1}}) {
    const Placement p = place_tensors(kAll, GetParam(), workers);
    std::vector<std::vector<std::byte>> memory;
    std::vector<std::byte*> arenas;
    for (const std::size_t bytes : p.arena_bytes) {
      arenas.push_back(memory.emplace_back(bytes, std::byte{0xee}).data());
    }
    for (std::size_t i = 0; i < kAll.size(); ++i) {
      const TensorSpec& spec = kAll[i];
      std::vector<std::byte> stored(spec.bytes());
      for (std::size_t b = 0; b < stored.size(); ++b) {
        stored[b] = static_cast<std::byte>(b * 2654435761u >> 13);
      }
      const PlacedTensor tensor = tensor_at(spec, p.tensors[i], arenas);
      for (const Segment& s : segments(tensor)) {
        ASSERT_LE(s.from + s.bytes, stored.size());
        std::copy_n(stored.begin() + static_cast<std::ptrdiff_t>(s.from), s.bytes, s.to);
      }
      if (spec.layout == Layout::kRows) {
        EXPECT_TRUE(std::equal(stored.begin(), stored.end(), tensor.rows_data));
        continue;
      }
      const quant::MatrixStack stack =
          quant::matrix_stack(spec.format, spec.count, spec.rows, spec.cols, stored.data());
      for (std::int64_t m = 0; m < spec.count; ++m) {
        const PlacedMatrix placed = tensor.stack()[m];
        for (std::int64_t row = 0; row < spec.rows; row += simd::kTileRows) {
          const MatrixPart& part = placed.part_of(row);
          const std::int64_t tile = (row - part.first_row) / simd::kTileRows;
          ASSERT_LT(tile, part.rows.n_tiles());
          const std::byte* const expected = stack[m].tile(row / simd::kTileRows);
          ASSERT_TRUE(std::equal(expected, expected + part.rows.tile_bytes(), part.rows.tile(tile)))
              << spec.name << " matrix " << m << " row " << row;
          if (part.rows.levels() != nullptr) {
            ASSERT_TRUE(std::equal(stack[m].levels(), stack[m].levels() + 16, part.rows.levels()));
          }
        }
      }
    }
  }
}

TEST_P(EveryPolicy, PiecesOfRowsCoverAMatrixAndStayOnANode) {
  const Placement p = place_tensors(kAll, GetParam(), std::vector{3, 1, 2});
  std::vector<std::byte> memory(p.total_bytes());
  std::vector<std::byte*> arenas(p.arena_bytes.size(), memory.data());
  const PlacedTensor tensor = tensor_at(kExperts, p.tensors[1], arenas);
  for (std::int64_t m = 0; m < kExperts.count; ++m) {
    const PlacedMatrix w = tensor.stack()[m];
    const RowPieces pieces(w, 48);
    std::int64_t next = 0;
    for (int i = 0; i < pieces.count(); ++i) {
      const RowPieces::Piece piece = pieces[i];
      EXPECT_EQ(piece.first_row, next);
      EXPECT_GT(piece.n_rows, 0);
      EXPECT_EQ(w.node_of(piece.first_row), piece.node);
      EXPECT_EQ(w.node_of(piece.first_row + piece.n_rows - 1), piece.node);
      next += piece.n_rows;
    }
    EXPECT_EQ(next, kExperts.rows);
  }
}

}  // namespace
}  // namespace leyden::model
