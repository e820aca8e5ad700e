#include "simd/index_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "simd/layout.h"
#include "tests/simd/cache_formats.h"
#include "tests/simd/every_isa.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

struct IndexKernels {
  IndexStoreFn* store;
  IndexScanFn* scan;
  IndexScoreFn* score;
};

IndexKernels index_kernels(Isa isa, IndexFormat format) {
  const Kernels& k = kernels(isa);
  switch (format) {
    case IndexFormat::kF32:
      return {k.index_store_f32, k.index_scan_f32, k.index_score_f32};
    case IndexFormat::kBf16:
      return {k.index_store_bf16, k.index_scan_bf16, k.index_score_bf16};
    case IndexFormat::kInt8:
      return {k.index_store_int8, k.index_scan_int8, k.index_score_int8};
  }
  return {};
}

using Bytes = std::vector<std::byte>;

/// Keys and queries of one layer, in every form the kernels read.
struct IndexProblem {
  IndexProblem(IndexFormat format_, int n_keys_, int n_queries_, int n_heads, int dim)
      : format(format_), n_keys(n_keys_), n_queries(n_queries_) {
    const int n_values = n_queries * n_heads * dim;
    keys = random_row(n_keys * dim, /*seed=*/1);
    x = random_row(n_values, /*seed=*/2);
    weight = random_row(n_queries * n_heads, /*seed=*/3);  // of both signs
    if (n_keys > 2) {  // extremes: every code -127, or 127 and -127 in turn
      std::fill_n(keys.begin(), dim, -5.0f);
      for (int d = 0; d < dim; ++d) keys[at(dim + d)] = d % 2 == 0 ? 5.0f : -5.0f;
    }
    std::fill_n(x.begin(), dim, -2.0f);  // codes of -63
    q.resize(at(n_values));
    q_start.resize(at(n_queries * n_heads));
    kernels(Isa::kScalar)
        .index_quantize_query(x.data(), n_queries * n_heads, dim, q.data(), q_start.data(),
                              weight.data());
    // f32 and bf16 keys meet the query as it is, and head weights without query scales
    if (format != IndexFormat::kInt8) weight = random_row(n_queries * n_heads, /*seed=*/3);
    query = {n_heads, dim, x.data(), q.data(), q_start.data(), weight.data()};
    tiles = stored(Isa::kScalar);
  }

  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  Bytes stored(Isa isa) const {
    const std::size_t tile_bytes = index_tile_bytes(format, query.dim);
    Bytes bytes(at((n_keys + 15) / 16) * tile_bytes);
    for (int s = 0; s < n_keys; ++s) {
      index_kernels(isa, format)
          .store(keys.data() + s * query.dim, query.dim, bytes.data() + at(s / 16) * tile_bytes,
                 s % 16);
    }
    return bytes;
  }

  /// Per query: the k best positions, ascending, and their scores' bits.
  struct Best {
    std::vector<std::int32_t> position;
    std::vector<std::uint32_t> score;
    bool operator==(const Best&) const = default;
  };
  std::vector<Best> run(Isa isa, int k, const std::int32_t* end = nullptr, int split = 0) const {
    const auto capacity = at(top_k_capacity(k));
    std::vector<std::vector<float>> score(at(n_queries), std::vector<float>(capacity));
    std::vector<std::vector<std::int32_t>> position(at(n_queries),
                                                    std::vector<std::int32_t>(capacity));
    std::vector<TopK> best(at(n_queries));
    for (std::size_t i = 0; i < best.size(); ++i) {
      best[i] = {score[i].data(), position[i].data(), top_k_capacity(k), 0, 0, 0};
      top_k_reset(best[i], k, -std::numeric_limits<float>::infinity());
    }
    const IndexKernels f = index_kernels(isa, format);
    IndexScanArgs args = {tiles.data(), split, 0, query, best.data(), n_queries, end};
    f.scan(args);  // positions below `split`, then the rest
    args.tiles += at(split / 16) * index_tile_bytes(format, query.dim);
    args.n_keys = n_keys - split;
    args.first_position = split;
    f.scan(args);
    std::vector<Best> out(best.size());
    for (std::size_t i = 0; i < best.size(); ++i) {
      kernels(isa).top_k_select(best[i]);
      std::vector<std::pair<std::int32_t, std::uint32_t>> pairs;
      const auto n = at(best[i].count);
      score[i].resize(n);
      const std::vector<std::uint32_t> bits = bits_of(score[i]);
      for (std::size_t j = 0; j < n; ++j) pairs.emplace_back(position[i][j], bits[j]);
      std::sort(pairs.begin(), pairs.end());
      for (const auto& [p, s] : pairs) {
        out[i].position.push_back(p);
        out[i].score.push_back(s);
      }
    }
    return out;
  }

  IndexFormat format;
  int n_keys, n_queries;
  std::vector<float> keys, x, weight;
  std::vector<std::int8_t> q;
  std::vector<std::int32_t> q_start;
  IndexQuery query;
  Bytes tiles;
};

using IndexScanTest = EveryIsaAndFormat<IndexFormat>;

TEST_P(IndexScanTest, StoresTheReferenceBits) {
  for (const int dim : {4, 8, 32, 128}) {
    const IndexProblem problem(format(), 33, 1, 1, dim);
    EXPECT_EQ(problem.stored(isa()), problem.tiles) << dim;
  }
}

TEST_P(IndexScanTest, ScoresEveryKeyWithTheReferenceBits) {
  for (const int dim : {4, 16, 64, 128}) {
    for (const int n_heads : {1, 3, 4, 7, 32, 64}) {
      for (const int n_keys : {0, 1, 15, 16, 17, 63, 64, 65, 131}) {
        const IndexProblem problem(format(), n_keys, 1, n_heads, dim);
        EXPECT_EQ(problem.run(isa(), n_keys), problem.run(Isa::kScalar, n_keys))
            << n_keys << " keys, " << n_heads << " heads of " << dim;
      }
    }
  }
}

TEST_P(IndexScanTest, ScoresAreTheFormulasWithinTheirRounding) {
  const int n_heads = 7, dim = 64, n_keys = 40;
  const IndexProblem problem(format(), n_keys, 1, n_heads, dim);
  // what the stored forms stand for, in double
  const auto best = problem.run(isa(), n_keys);
  ASSERT_EQ(best[0].position.size(), 40u);
  std::vector<float> g = random_row(n_heads, /*seed=*/3);
  for (int s = 0; s < n_keys; ++s) {
    double sum = 0, magnitude = 0;
    for (int h = 0; h < n_heads; ++h) {
      double dot = 0, length = 0, k_max = 0, q_max = 0;
      for (int d = 0; d < dim; ++d) {
        const double key = problem.keys[problem.at(s * dim + d)];
        const double x = problem.x[problem.at(h * dim + d)];
        dot += x * key;
        length += std::fabs(x * key);
        k_max = std::max(k_max, std::fabs(key));
        q_max = std::max(q_max, std::fabs(x));
      }
      sum += g[problem.at(h)] * std::max(dot, 0.0);
      // f32: a rounding per addition. bf16: 2^-9 of each product, and room for those additions.
      // int8: half a step, 1 / 63 and 1 / 127 of the largest value, in either factor.
      const double error = format() == IndexFormat::kF32 ? length * dim * 0x1p-24
                           : format() == IndexFormat::kBf16
                               ? length * 0x1p-8
                               : k_max * q_max * dim * 1.01 * (0.5 / 63 + 0.5 / 127);
      magnitude += std::fabs(g[problem.at(h)]) * error;
    }
    const float score = std::bit_cast<float>(best[0].score[problem.at(s)]);
    EXPECT_NEAR(score, sum, magnitude + std::fabs(sum) * 1e-5) << s;
  }
}

TEST_P(IndexScanTest, ChoosesTheReferencesKeys) {
  const IndexProblem problem(format(), 1500, 1, 5, 32);
  for (const int k : {1, 16, 100, 1500}) {
    EXPECT_EQ(problem.run(isa(), k), problem.run(Isa::kScalar, k)) << k;
  }
}

TEST_P(IndexScanTest, GivesAQueryTheSameWhateverElseIsInTheCall) {
  const int n_queries = 5;
  const IndexProblem problem(format(), 700, n_queries, 6, 32);
  const std::vector<std::int32_t> end = {700, 0, 1, 333, 256};
  const auto together = problem.run(isa(), 50, end.data());
  EXPECT_EQ(problem.run(isa(), 50, end.data(), /*split=*/320), together);
  for (int i = 0; i < n_queries; ++i) {
    IndexProblem one = problem;
    one.n_queries = 1;
    one.query.x += i * 6 * 32;
    one.query.q += i * 6 * 32;
    one.query.q_start += i * 6;
    one.query.weight += i * 6;
    one.n_keys = end[one.at(i)];
    EXPECT_EQ(one.run(Isa::kScalar, 50)[0], together[one.at(i)]) << i;
  }
}

TEST_P(IndexScanTest, ScoresChosenKeysAsTheScanDoes) {
  const IndexProblem problem(format(), 200, 1, 9, 64);
  const auto all = problem.run(isa(), 200)[0];
  for (const int n : {0, 1, 16, 21}) {
    std::vector<std::int32_t> position;
    std::vector<const std::byte*> tile;
    for (int i = 0; i < n; ++i) {
      position.push_back(i * 67 % 200);
      tile.push_back(problem.tiles.data() +
                     problem.at(position.back() / 16) * index_tile_bytes(format(), 64));
    }
    GuardedRow score(std::vector<float>(problem.at(n)));
    index_kernels(isa(), format())
        .score({tile.data(), position.data(), n, problem.query, score.data()});
    const auto bits = bits_of(score.values());
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(bits[problem.at(i)], all.score[problem.at(position[problem.at(i)])]) << i;
    }
  }
}

TEST_P(IndexScanTest, NeverChoosesNotANumber) {
  IndexProblem problem(format(), 100, 1, 4, 16);
  problem.weight[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(problem.run(isa(), 100)[0].position.empty());
}

LEYDEN_FOR_EVERY_ISA_AND_FORMAT(IndexScanTest, kIndexFormats);

using IndexQueryTest = EveryIsa;

TEST_P(IndexQueryTest, IsQuantizedWithTheReferenceBits) {
  for (const int dim : {4, 8, 64, 128}) {
    std::vector<float> x = random_row(7 * dim, /*seed=*/4);
    std::fill_n(x.begin() + dim, dim, 0.0f);  // a head of zeros
    struct Result {
      std::vector<std::int8_t> q;
      std::vector<std::int32_t> start;
      std::vector<float> weight;
      bool operator==(const Result&) const = default;
    };
    const auto quantized = [&](const Kernels& k) {
      Result r{std::vector<std::int8_t>(x.size()), std::vector<std::int32_t>(7),
               random_row(7, /*seed=*/5)};
      k.index_quantize_query(x.data(), 7, dim, r.q.data(), r.start.data(), r.weight.data());
      return r;
    };
    EXPECT_EQ(quantized(level()), quantized(reference())) << dim;
  }
}

LEYDEN_FOR_EVERY_ISA(IndexQueryTest);

TEST(IndexTile, TakesWholeLines) {
  EXPECT_EQ(index_tile_bytes(IndexFormat::kF32, 128), 8192u);
  EXPECT_EQ(index_tile_bytes(IndexFormat::kBf16, 128), 4096u);
  EXPECT_EQ(index_tile_bytes(IndexFormat::kInt8, 128), 2048u + 64u);
}

}  // namespace
}  // namespace leyden::simd
