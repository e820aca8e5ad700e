#include "simd/attend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "simd/kv_row.h"
#include "simd/layout.h"
#include "tests/simd/row_cases.h"

namespace leyden::simd {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// 64-byte aligned bytes.
class Scratch {
 public:
  explicit Scratch(std::size_t n) : memory_(n + kLine) {}
  std::byte* data() {
    auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (kLine - address % kLine) % kLine;
  }

 private:
  std::vector<std::byte> memory_;
};

struct Result {
  std::vector<std::uint32_t> max, sum, out;
  bool operator==(const Result&) const = default;
};

/// max, sum and out of n queries, with canaries behind each and between the rows of out.
class Outputs {
 public:
  Outputs(int n, int width)
      : width_(width),
        n_(n),
        max_(std::vector<float>(at(n))),
        sum_(std::vector<float>(at(n))),
        out_(std::vector<float>(at(n * (width + 3)), kUntouched)) {}
  AttendPartial partial() { return {max_.data(), sum_.data(), out_.data(), width_ + 3}; }
  Result result() const {
    std::vector<float> kept;
    const std::vector<float> all = out_.values();
    for (int i = 0; i < n_; ++i) {
      const auto row = all.begin() + i * (width_ + 3);
      kept.insert(kept.end(), row, row + width_);
      EXPECT_EQ(std::count(row + width_, row + width_ + 3, kUntouched), 3);
    }
    return {bits_of(max_.values()), bits_of(sum_.values()), bits_of(kept)};
  }

 private:
  static constexpr float kUntouched = -99.0f;
  int width_, n_;
  GuardedRow max_, sum_, out_;
};

/// n queries, `stride` floats apart, as a kernel wants them.
class Queries {
 public:
  Queries(Isa isa, bool is_fixed, const std::vector<float>& x, int n, int stride, int n_first,
          int n_second)
      : x_(x),
        stride_bytes_(is_fixed ? static_cast<std::ptrdiff_t>(fixed_query_bytes(n_first, n_second))
                               : std::ptrdiff_t{stride} * 4),
        fixed_(is_fixed ? at(n) * at(static_cast<int>(stride_bytes_)) : 0),
        data_(is_fixed ? fixed_.data() : reinterpret_cast<const std::byte*>(x_.data())) {
    for (int i = 0; is_fixed && i < n; ++i) {
      kernels(isa).fix_query(x.data() + std::ptrdiff_t{i} * stride, n_first, n_second,
                             fixed_.data() + i * stride_bytes_);
    }
  }
  std::ptrdiff_t stride_bytes() const { return stride_bytes_; }
  const std::byte* row(int i) const { return data_ + i * stride_bytes_; }

 private:
  std::vector<float> x_;
  std::ptrdiff_t stride_bytes_;
  Scratch fixed_;
  const std::byte* data_;
};

/// Rows that fixed point could stumble over, in place of random ones: factor * pattern(i).
struct Extreme {
  const char* name;
  float query, row;
  float (*pattern)(int i);
};
constexpr Extreme kExtremes[] = {
    {"zeros", 0.0f, 0.0f, [](int) { return 1.0f; }},
    {"all equal, the longest code vectors", 0.01f, 1.0f, [](int) { return 1.0f; }},
    {"the same with signs", 0.01f, 1.0f, [](int i) { return i % 3 == 0 ? -1.0f : 1.0f; }},
    {"huge values", 1e-35f, 1e35f, [](int i) { return i % 5 == 0 ? 3.0f : 0.25f; }},
    {"tiny values", 1e-32f, 1e-32f, [](int) { return 1.0f; }},
    {"one value in a hundred", 0.5f, 1.0f, [](int i) { return i % 101 == 0 ? 7.0f : 0.0f; }},
    {"outliers", 0.01f, 1.0f, [](int i) { return i % 61 == 0 ? 500.0f : 0.5f; }},
};
std::vector<float> extreme_row(const Extreme& extreme, int n, float factor) {
  std::vector<float> x;
  for (int i = 0; i < n; ++i) x.push_back(factor * extreme.pattern(i));
  return x;
}

struct DenseProblem {
  int n_queries, n_keys, key_dim, value_dim;
  std::vector<std::int32_t> n_visible;  // empty: all
  bool is_fixed = false;
  const Extreme* extreme = nullptr;

  std::vector<float> queries(int n) const {
    return extreme != nullptr ? extreme_row(*extreme, n, extreme->query) : random_row(n, 1);
  }
  std::vector<float> rows(int n, unsigned seed) const {
    return extreme != nullptr ? extreme_row(*extreme, n, extreme->row) : random_row(n, seed);
  }
  Result run(Isa isa, int first = 0, int n = -1) const {
    if (n < 0) n = n_queries;
    const int query_stride = key_dim + 1, key_stride = key_dim + 2, value_stride = value_dim + 5;
    const Queries query(isa, is_fixed, queries(n_queries * query_stride), n_queries, query_stride,
                        key_dim, 0);
    const std::vector<float> key = rows(n_keys * key_stride, 2);
    const std::vector<float> value = rows(n_keys * value_stride, 3);
    Outputs outputs(n, value_dim);
    Scratch scratch(attend_scratch_bytes(n, key_dim, value_dim));
    AttendArgs args;
    args.n_queries = n;
    args.n_keys = n_keys;
    args.key_dim = key_dim;
    args.value_dim = value_dim;
    args.query = query.row(first);
    args.query_stride_bytes = query.stride_bytes();
    args.key = key.data();
    args.key_stride = key_stride;
    args.value = value.data();
    args.value_stride = value_stride;
    args.n_visible = n_visible.empty() ? nullptr : n_visible.data() + first;
    args.partial = outputs.partial();
    args.scratch = scratch.data();
    (is_fixed ? kernels(isa).attend_int16 : kernels(isa).attend)(args);
    return outputs.result();
  }
};

/// Both forms, f32 and fixed point, on every level.
class AttendTest : public testing::TestWithParam<std::tuple<Isa, bool>> {
 protected:
  void SetUp() override {
    if (!cpu_has(isa())) GTEST_SKIP() << name(isa()) << " is not on this machine";
  }
  Isa isa() const { return std::get<0>(GetParam()); }
  bool is_fixed() const { return std::get<1>(GetParam()); }
};

TEST_P(AttendTest, GivesTheReferenceBitsAtAwkwardSizes) {
  for (const int n_queries : {0, 1, 5, 8, 13, 65}) {
    for (const int n_keys : {0, 1, 15, 33, 256}) {
      const DenseProblem problem{n_queries, n_keys, 19, 33, {}, is_fixed()};
      EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar))
          << n_queries << " queries, " << n_keys << " keys";
    }
  }
  for (const int n_queries : {1, 15, 16, 17, 33}) {  // of widths that are whole AMX tiles
    for (const int n_keys : {1, 16, 17, 63, 65, 256}) {
      const DenseProblem problem{n_queries, n_keys, 192, 128, {}, is_fixed()};
      EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar)) << n_queries << " " << n_keys;
    }
  }
  for (const int width : {1, 2, 16, 31, 32, 64, 128, 129, 192, 257}) {
    const DenseProblem problem{7, 40, width, width, {}, is_fixed()};
    EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar)) << "widths " << width;
  }
}

TEST_P(AttendTest, GivesTheReferenceBitsAtExtremes) {
  for (const Extreme& extreme : kExtremes) {
    for (const int n_keys : {1, 256}) {
      const DenseProblem problem{3, n_keys, 192, 128, {}, is_fixed(), &extreme};
      const Result result = problem.run(isa());
      EXPECT_EQ(result, problem.run(Isa::kScalar)) << extreme.name << ", " << n_keys << " keys";
      for (const std::uint32_t out : result.out) {
        ASSERT_TRUE(std::isfinite(std::bit_cast<float>(out))) << extreme.name;
      }
    }
  }
}

TEST_P(AttendTest, HidesWhatAQueryMayNotSee) {
  for (const auto& [key_dim, value_dim] : {std::pair{24, 16}, {192, 64}}) {
    DenseProblem problem{70, 200, key_dim, value_dim, {}, is_fixed()};
    for (int i = 0; i < 70; ++i) problem.n_visible.push_back(i * 37 % 201);
    const Result result = problem.run(isa());
    EXPECT_EQ(result, problem.run(Isa::kScalar)) << value_dim;
    // query 0 sees nothing
    EXPECT_EQ(std::bit_cast<float>(result.max[0]), -std::numeric_limits<float>::infinity());
    EXPECT_EQ(result.sum[0], 0u);
    EXPECT_EQ(std::vector<std::uint32_t>(result.out.begin(), result.out.begin() + value_dim),
              std::vector<std::uint32_t>(at(value_dim), 0u));
  }
}

TEST_P(AttendTest, GivesAQueryTheSameBitsAloneAndInCompany) {
  DenseProblem problem{20, 100, 24, 16, {}, is_fixed()};
  for (int i = 0; i < 20; ++i) problem.n_visible.push_back(81 + i);
  const Result together = problem.run(isa());
  for (int i = 0; i < 20; ++i) {
    const Result alone = problem.run(isa(), i, 1);
    EXPECT_EQ(alone.max[0], together.max[at(i)]);
    EXPECT_EQ(alone.sum[0], together.sum[at(i)]);
    EXPECT_TRUE(std::equal(alone.out.begin(), alone.out.end(), together.out.begin() + i * 16)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryLevel, AttendTest,
                         testing::Combine(testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512,
                                                          Isa::kAvx512Vnni, Isa::kAmx),
                                          testing::Bool()),
                         [](const auto& test) {
                           return std::string(name(std::get<0>(test.param))) +
                                  (std::get<1>(test.param) ? "_int16" : "_f32");
                         });

using FixQueryTest = EveryIsa;

TEST_P(FixQueryTest, MakesTheReferenceRow) {
  for (const auto& [first, second] : {std::pair{192, 0}, {512, 64}, {1, 1}, {129, 31}, {33, 130}}) {
    const std::vector<float> x = random_row(first + second, 4);
    const std::size_t n = fixed_query_bytes(first, second);
    const auto row = [&](const Kernels& k) {
      Scratch fixed(n);
      k.fix_query(x.data(), first, second, fixed.data());
      return std::vector<std::byte>(fixed.data(), fixed.data() + n);
    };
    EXPECT_EQ(row(level()), row(reference())) << first << " + " << second;
  }
}

LEYDEN_FOR_EVERY_ISA(FixQueryTest);

using AttendMergeTest = EveryIsa;

TEST_P(AttendMergeTest, MergesChunksToTheSoftmaxOverAll) {
  // 3 keys of score 0, ln 2 and ln 3 with values 1, 10, 100, one chunk each
  const float score[3] = {0.0f, std::log(2.0f), std::log(3.0f)};
  float max = -std::numeric_limits<float>::infinity(), sum = 0;
  std::vector<float> out(17, 0.0f);
  for (int c = 0; c < 3; ++c) {
    const std::vector<float> value(17, std::pow(10.0f, static_cast<float>(c)));
    level().attend_merge(&max, &sum, out.data(), score[c], 1.0f, value.data(), 17);
  }
  for (const float v : out) EXPECT_NEAR(v / sum, (1 + 20 + 300) / 6.0f, 1e-4f);
  // a chunk without visible keys changes nothing
  const auto before = bits_of(out);
  const std::vector<float> nothing(17, 0.0f);
  level().attend_merge(&max, &sum, out.data(), -std::numeric_limits<float>::infinity(), 0.0f,
                       nothing.data(), 17);
  EXPECT_EQ(bits_of(out), before);
}

TEST_P(AttendMergeTest, MergesWithTheReferenceBits) {
  for (const int n : kAwkwardSizes) {
    const auto merged = [&](const Kernels& k) {
      GuardedRow out(random_row(n, 1));
      const std::vector<float> other = random_row(n, 2);
      float max = 1.25f, sum = 3.5f;
      k.attend_merge(&max, &sum, out.data(), 2.0f, 7.0f, other.data(), n);
      std::vector<float> all = out.values();
      all.insert(all.end(), {max, sum});
      return bits_of(all);
    };
    EXPECT_EQ(merged(level()), merged(reference())) << n;
  }
}

LEYDEN_FOR_EVERY_ISA(AttendMergeTest);

std::string format_name(KvFormat format) {
  static constexpr const char* kNames[] = {"f32", "bf16", "int8"};
  return kNames[static_cast<int>(format)];
}

struct LatentProblem {
  KvFormat format;
  int n_queries, n_keys, kv_lora_rank, rope_dim;
  std::vector<std::int32_t> n_visible;  // empty: all

  bool is_mild = false;  // no outliers
  const Extreme* extreme = nullptr;

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
    const Queries query(isa, format != KvFormat::kF32, queries(), n_queries, stride(), kv_lora_rank,
                        rope_dim);
    const std::vector<float> x_all = latents();
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

class LatentAttendTest : public testing::TestWithParam<std::tuple<Isa, KvFormat>> {
 protected:
  void SetUp() override {
    if (!cpu_has(isa())) GTEST_SKIP() << name(isa()) << " is not on this machine";
  }
  Isa isa() const { return std::get<0>(GetParam()); }
  KvFormat format() const { return std::get<1>(GetParam()); }
};

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
      const Result result = problem.run(isa());
      EXPECT_EQ(result, problem.run(Isa::kScalar)) << extreme.name << ", " << n_keys << " keys";
      for (const std::uint32_t out : result.out) {
        ASSERT_TRUE(std::isfinite(std::bit_cast<float>(out))) << extreme.name;
      }
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

INSTANTIATE_TEST_SUITE_P(EveryLevel, LatentAttendTest,
                         testing::Combine(testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512,
                                                          Isa::kAvx512Vnni, Isa::kAmx),
                                          testing::Values(KvFormat::kF32, KvFormat::kBf16,
                                                          KvFormat::kInt8)),
                         [](const auto& test) {
                           return std::string(name(std::get<0>(test.param))) + "_" +
                                  format_name(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace leyden::simd
