#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "simd/attend.h"
#include "simd/kv_row.h"
#include "tests/simd/attend_case.h"
#include "tests/simd/cache_formats.h"
#include "tests/simd/every_isa.h"

namespace leyden::simd {
namespace {

struct LatentProblem {
  KvFormat format;
  int n_queries, n_keys, kv_lora_rank, rope_dim;
  std::vector<std::int32_t> n_visible;  // empty: all

  bool is_mild = false;  // no outliers
  const Extreme* extreme = nullptr;
  const Flaw* flaw = nullptr;

  bool sees(int i, int key) const { return key < n_visible[at(i)]; }
  int stride() const { return kv_lora_rank + rope_dim + 3; }
  std::vector<float> queries() const { return values(n_queries * stride(), 1, 0.02f); }
  std::vector<float> latents() const { return values(n_keys * (kv_lora_rank + rope_dim), 2, 1.0f); }
  std::vector<float> values(int n, unsigned seed, float scale) const {
    if (extreme != nullptr) {
      return extreme_row(*extreme, n, seed == 1 ? extreme->query : extreme->row);
    }
    std::vector<float> x = random_row(n, seed);
    for (float& v : x) v = scale * (is_mild ? std::clamp(v, -2.0f, 2.0f) : v);
    return x;
  }

  Result run(Isa isa, int first = 0, int n = -1) const {
    if (n < 0) n = n_queries;
    const int key_dim = kv_lora_rank + rope_dim;
    std::vector<float> q_all = queries(), x_all = latents();
    if (flaw != nullptr) {
      (flaw->is_query ? q_all[at(flaw->row * stride() + flaw->column)]
                      : x_all[at(flaw->row * key_dim + flaw->column)]) = flaw->value;
    }
    const Queries query(isa, format != KvFormat::kF32, q_all, n_queries, stride(), kv_lora_rank,
                        rope_dim);
    const std::size_t row_bytes = kv_row_bytes(format, kv_lora_rank, rope_dim);
    Scratch cache(at(n_keys) * row_bytes);
    std::vector<const std::byte*> rows(at(n_keys));
    const Kernels& scalar = kernels(Isa::kScalar);
    KvStoreFn* store = format == KvFormat::kF32    ? scalar.kv_store_f32
                       : format == KvFormat::kBf16 ? scalar.kv_store_bf16
                                                   : scalar.kv_store_int8;
    for (int k = 0; k < n_keys; ++k) {  // in some other order in memory
      std::byte* row = cache.data() + at((k * 7 + 3) % n_keys) * row_bytes;
      const float* x = x_all.data() + k * key_dim;
      store(x, x + kv_lora_rank, kv_lora_rank, rope_dim, row);
      rows[at(k)] = row;
    }
    Outputs outputs(n, kv_lora_rank);
    Scratch scratch(latent_attend_scratch_bytes(n, kv_lora_rank, rope_dim));
    LatentAttendArgs args;
    args.n_queries = n;
    args.n_keys = n_keys;
    args.kv_lora_rank = kv_lora_rank;
    args.rope_dim = rope_dim;
    args.query = query.row(first);
    args.query_stride_bytes = query.stride_bytes();
    args.rows = rows.data();
    args.next_rows = rows.data();  // changes nothing
    args.n_next_rows = n_keys;
    args.n_visible = n_visible.empty() ? nullptr : n_visible.data() + first;
    args.partial = outputs.partial();
    args.scratch = scratch.data();
    const Kernels& k = kernels(isa);
    (format == KvFormat::kF32    ? k.latent_attend_f32
     : format == KvFormat::kBf16 ? k.latent_attend_bf16
                                 : k.latent_attend_int8)(args);
    return outputs.result();
  }
};

using LatentAttendTest = EveryIsaAndFormat<KvFormat>;

TEST_P(LatentAttendTest, GivesTheReferenceBits) {
  for (const int n_keys : {1, 2, 31, 130, 255}) {
    const LatentProblem problem{format(), 11, n_keys, 48, 16, {}};
    EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar)) << n_keys << " keys";
  }
  for (const int n_queries : {1, 16, 17, 33}) {  // of widths that are whole AMX tiles
    for (const int n_keys : {1, 16, 65, 256}) {
      const LatentProblem problem{format(), n_queries, n_keys, 128, 64, {}};
      EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar)) << n_queries << " " << n_keys;
    }
  }
  for (const auto& [lora, rope] : {std::pair{512, 64}, {1, 2}, {17, 4}, {130, 6}, {256, 32}}) {
    const LatentProblem problem{format(), 9, 37, lora, rope, {}};
    EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar)) << lora << " + " << rope;
  }
}

TEST_P(LatentAttendTest, GivesTheReferenceBitsAtExtremes) {
  for (const Extreme& extreme : kExtremes) {
    for (const int n_keys : {1, 256}) {
      LatentProblem problem{format(), 3, n_keys, 512, 64, {}};
      problem.extreme = &extreme;
      SCOPED_TRACE(std::string(extreme.name) + ", " + std::to_string(n_keys) + " keys");
      expect_finite_reference_bits(problem, isa());
    }
  }
}

TEST_P(LatentAttendTest, GivesAQueryTheSameBitsAloneAndInCompany) {
  for (const auto& [lora, rope] : {std::pair{40, 8}, {128, 64}}) {
    LatentProblem problem{format(), 70, 100, lora, rope, {}};
    for (int i = 0; i < 70; ++i) problem.n_visible.push_back(i * 53 % 101);
    const Result together = problem.run(isa());
    EXPECT_EQ(together, problem.run(Isa::kScalar)) << lora;
    for (const int i : {0, 1, 7, 64, 69}) {
      const Result alone = problem.run(isa(), i, 1);
      EXPECT_EQ(alone.max[0], together.max[at(i)]);
      EXPECT_EQ(alone.sum[0], together.sum[at(i)]);
      EXPECT_TRUE(std::equal(alone.out.begin(), alone.out.end(), together.out.begin() + i * lora))
          << i;
    }
  }
}

TEST_P(LatentAttendTest, ShowsWhatIsNotFiniteToThoseWhoSeeIt) {
  for (const auto& [lora, rope] : {std::pair{40, 8}, {256, 64}}) {
    for (const float value : kNonFinite) {
      LatentProblem problem{format(), 35, 100, lora, rope, {}};
      for (int i = 0; i < 35; ++i) problem.n_visible.push_back(i * 53 % 101);
      if (format() != KvFormat::kF32 || std::isnan(value)) {
        // otherwise a score may become -infinity, which is as good as not seen
        expect_seen_by_its_queries_only(problem, isa(), {true, 11, lora + 1, value});
        expect_seen_by_its_queries_only(problem, isa(), {false, 50, lora + rope - 1, value});
      }
      expect_seen_by_its_queries_only(problem, isa(), {false, 50, 20, value});
      expect_seen_by_its_queries_only(problem, isa(), {false, 99, lora - 1, value});
    }
  }
}

TEST_P(LatentAttendTest, ShowsThatScoresOverflow) {
  for (const int n_keys : {1, 70}) {
    LatentProblem problem{format(), 3, n_keys, 256, 64, {}};
    problem.extreme = &kOverflow;
    expect_nothing_but_nan(problem, isa());
  }
}

TEST_P(LatentAttendTest, IsTheFormulaWithinItsRounding) {
  const int lora = 160, rope = 32, n_keys = 100, key_dim = lora + rope;
  const LatentProblem problem{format(), 1, n_keys, lora, rope, {}, /*is_mild=*/true};
  const Result result = problem.run(isa());
  const std::vector<float> q = problem.queries(), x = problem.latents();
  // In the cache a value is off by half a step of its format, in fixed point by 1 / 8190 of the
  // largest of its run more, and a query by no more than that.
  double q_max = 0, x_max = 0, q_sum = 0;
  for (int d = 0; d < key_dim; ++d) {
    q_max = std::max(q_max, std::fabs(double{q[at(d)]}));
    q_sum += std::fabs(q[at(d)]);
  }
  for (const float v : x) x_max = std::max(x_max, std::fabs(double{v}));
  const bool is_f32 = format() == KvFormat::kF32;
  const double step = is_f32 ? 0 : format() == KvFormat::kBf16 ? 1.0 / 512 : 0.5 / 127;
  const double fixed = is_f32 ? 0 : 1.0 / 8190;
  const double x_error = x_max * (step + fixed);
  const double score_error = q_sum * x_error + key_dim * q_max * fixed * x_max + 1e-5;
  std::vector<double> p(at(n_keys));
  double sum = 0;
  for (int k = 0; k < n_keys; ++k) {
    double score = 0;
    for (int d = 0; d < key_dim; ++d) score += double{q[at(d)]} * x[at(k * key_dim + d)];
    sum += p[at(k)] = std::exp(score);
  }
  // p is off by exp(2 score_error) at most, the weights by 1 / 4094 of the largest each
  const double tolerance = x_max * (std::expm1(4 * score_error) +
                                    n_keys * 2 * fixed / std::bit_cast<float>(result.sum[0])) +
                           x_error;
  EXPECT_LT(tolerance, 0.5 * x_max) << "says nothing";
  for (int d = 0; d < lora; ++d) {
    double out = 0;
    for (int k = 0; k < n_keys; ++k) out += p[at(k)] / sum * x[at(k * key_dim + d)];
    EXPECT_NEAR(std::bit_cast<float>(result.out[at(d)]) / std::bit_cast<float>(result.sum[0]), out,
                tolerance);
  }
}

LEYDEN_FOR_EVERY_ISA_AND_FORMAT(LatentAttendTest, kKvFormats);

}  // namespace
}  // namespace leyden::simd
