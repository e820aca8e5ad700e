#include "simd/attend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simd/attend_case.h"
#include "tests/simd/every_isa.h"

namespace leyden::simd {
namespace {

struct DenseProblem {
  int n_queries, n_keys, key_dim, value_dim;
  std::vector<std::int32_t> n_visible;  // empty: all
  bool is_fixed = false;
  const Extreme* extreme = nullptr;
  const Flaw* flaw = nullptr;  // columns of a key's row: those of the key, then of the value
  std::vector<std::uint32_t> choice = {};  // [n_queries, kStride] words; empty: no choice

  static constexpr int kStride = kChoiceWords + 3;
  bool sees(int i, int key) const {
    return key < (n_visible.empty() ? n_keys : n_visible[at(i)]) &&
           (choice.empty() || Choice{choice.data(), kStride}.has(i, key));
  }
  /// About one key in `one_in`, of the first `n_choosing` queries; the others choose all.
  void choose(unsigned one_in, int n_choosing) {
    std::mt19937 random(7);
    choice.assign(at(n_queries * kStride), 0xffffffffu);
    for (int i = 0; i < n_choosing; ++i) {
      for (int key = 0; key < kKeyChunk; ++key) {
        if (random() % one_in != 0) choice[at(i * kStride + key / 32)] ^= 1u << key % 32;
      }
    }
  }
  std::vector<float> queries(int n) const {
    return extreme != nullptr ? extreme_row(*extreme, n, extreme->query) : random_row(n, 1);
  }
  std::vector<float> rows(int n, unsigned seed) const {
    return extreme != nullptr ? extreme_row(*extreme, n, extreme->row) : random_row(n, seed);
  }
  Result run(Isa isa, int first = 0, int n = -1) const {
    if (n < 0) n = n_queries;
    const int query_stride = key_dim + 1, key_stride = key_dim + 2, value_stride = value_dim + 5;
    std::vector<float> x = queries(n_queries * query_stride);
    std::vector<float> key = rows(n_keys * key_stride, 2);
    std::vector<float> value = rows(n_keys * value_stride, 3);
    if (flaw != nullptr) {
      const bool in_key = flaw->column < key_dim;
      (flaw->is_query ? x[at(flaw->row * query_stride + flaw->column)]
       : in_key       ? key[at(flaw->row * key_stride + flaw->column)]
                      : value[at(flaw->row * value_stride + flaw->column - key_dim)]) = flaw->value;
    }
    const Queries query(isa, is_fixed, x, n_queries, query_stride, key_dim, 0);
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
    if (!choice.empty()) args.choice = Choice{choice.data(), kStride}.from(first);
    args.partial = outputs.partial();
    args.scratch = scratch.data();
    (is_fixed ? kernels(isa).attend_int16 : kernels(isa).attend)(args);
    return outputs.result();
  }
};

/// The two forms of one contract.
enum class Form { kF32, kInt16 };
std::string_view name(Form form) { return form == Form::kF32 ? "f32" : "int16"; }
constexpr Form kForms[] = {Form::kF32, Form::kInt16};

class AttendTest : public EveryIsaAndFormat<Form> {
 protected:
  bool is_fixed() const { return format() == Form::kInt16; }
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
      SCOPED_TRACE(std::string(extreme.name) + ", " + std::to_string(n_keys) + " keys");
      expect_finite_reference_bits(problem, isa());
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

/// Beside causality, alone and in company; all chosen is as good as no choice.
TEST_P(AttendTest, SeesOfTheKeysOnlyThoseChosen) {
  for (const auto& [key_dim, value_dim] : {std::pair{24, 16}, {19, 33}, {192, 128}}) {
    for (const int n_keys : {1, 16, 31, 100, 256}) {
      for (const unsigned one_in : {1u, 2u, 40u}) {
        DenseProblem problem{37, n_keys, key_dim, value_dim, {}, is_fixed()};
        problem.choose(one_in, 30);
        SCOPED_TRACE(std::to_string(n_keys) + " keys, one in " + std::to_string(one_in));
        EXPECT_EQ(problem.run(isa()), problem.run(Isa::kScalar));
        for (int i = 0; i < 37; ++i) problem.n_visible.push_back(i * 37 % (n_keys + 1));
        const Result result = problem.run(isa());
        EXPECT_EQ(result, problem.run(Isa::kScalar));
        EXPECT_EQ(result.sum[0], 0u) << "query 0 sees nothing";
        EXPECT_EQ(result.of(3), problem.run(isa(), 3, 1)) << "alone";
        if (one_in > 1) continue;
        problem.choice.clear();
        EXPECT_EQ(result, problem.run(isa())) << "all chosen";
      }
    }
  }
}

/// Chosen or not, by means of one key that can be told from the others.
TEST_P(AttendTest, WeighsAChosenKeyOnly) {
  DenseProblem problem{256, 256, 24, 16, {}, is_fixed()};
  problem.choice.assign(at(256 * DenseProblem::kStride), 0);
  for (int i = 0; i < 256; ++i) {
    problem.choice[at(i * DenseProblem::kStride + i / 32)] = 1u << i % 32;
  }
  const Result result = problem.run(isa());
  const std::vector<float> value = problem.rows(256 * 21, 3);
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(std::bit_cast<float>(result.sum[at(i)]), 1.0f) << i;
    for (int d = 0; d < 16; ++d) {
      EXPECT_NEAR(std::bit_cast<float>(result.out[at(i * 16 + d)]), value[at(i * 21 + d)], 0.03f)
          << i << " " << d;
    }
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

TEST_P(AttendTest, ShowsWhatIsNotFiniteToThoseWhoSeeIt) {
  for (const auto& [key_dim, value_dim] : {std::pair{24, 16}, {192, 128}}) {
    for (const float value : kNonFinite) {
      DenseProblem problem{35, 100, key_dim, value_dim, {}, is_fixed()};
      for (int i = 0; i < 35; ++i) problem.n_visible.push_back(i * 37 % 101);
      const bool is_nan = std::isnan(value);  // a score of -infinity is as good as not seen
      if (is_fixed() || is_nan) {
        expect_seen_by_its_queries_only(problem, isa(), {true, 11, 20, value});
        expect_seen_by_its_queries_only(problem, isa(), {false, 50, key_dim - 1, value});
      }
      expect_seen_by_its_queries_only(problem, isa(), {false, 50, key_dim + 3, value});
      expect_seen_by_its_queries_only(problem, isa(), {false, 99, key_dim, value});
      problem.choose(2, 25);
      expect_seen_by_its_queries_only(problem, isa(), {false, 50, key_dim + 3, value});
    }
  }
}

TEST_P(AttendTest, ShowsThatScoresOverflow) {
  for (const int n_keys : {1, 70}) {
    expect_nothing_but_nan(DenseProblem{3, n_keys, 192, 128, {}, is_fixed(), &kOverflow}, isa());
  }
}

LEYDEN_FOR_EVERY_ISA_AND_FORMAT(AttendTest, kForms);

using FixQueryTest = EveryIsa;

std::vector<std::byte> fixed_row(const Kernels& k, const std::vector<float>& x, int n_first) {
  const int n_second = static_cast<int>(x.size()) - n_first;
  const std::size_t n = fixed_query_bytes(n_first, n_second);
  Scratch fixed(n);
  k.fix_query(x.data(), n_first, n_second, fixed.data());
  return {fixed.data(), fixed.data() + n};
}

TEST_P(FixQueryTest, MakesTheReferenceRow) {
  for (const auto& [first, second] : {std::pair{192, 0}, {512, 64}, {1, 1}, {129, 31}, {33, 130}}) {
    const std::vector<float> x = random_row(first + second, 4);
    EXPECT_EQ(fixed_row(level(), x, first), fixed_row(reference(), x, first))
        << first << " + " << second;
  }
}

TEST_P(FixQueryTest, KeepsWhatIsNotFiniteAsTheScaleOfItsRun) {
  for (const float value : kNonFinite) {
    std::vector<float> x = random_row(192, 4);
    x[150] = value;  // of the second run
    const std::vector<std::byte> row = fixed_row(level(), x, 192);
    EXPECT_EQ(row, fixed_row(reference(), x, 192)) << value;
    float scales[2];
    std::memcpy(scales, row.data() + 192 * 2, sizeof scales);
    EXPECT_TRUE(std::isfinite(scales[0])) << value;
    EXPECT_EQ(std::isnan(scales[1]), std::isnan(value));
    EXPECT_FALSE(std::isfinite(scales[1])) << value;
    EXPECT_TRUE(std::all_of(row.begin() + 128 * 2, row.begin() + 192 * 2, [](std::byte code) {
      return code == std::byte{0};
    })) << value;
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

TEST_P(AttendMergeTest, KeepsWhatIsNoNumber) {
  const float nothing = -std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int n : {1, 17}) {
    float max = nothing, sum = 0;
    std::vector<float> out(at(n), 0.0f);
    level().attend_merge(&max, &sum, out.data(), nothing, nan,
                         std::vector<float>(at(n), nan).data(), n);
    level().attend_merge(&max, &sum, out.data(), 1.0f, 1.0f, std::vector<float>(at(n), 2.0f).data(),
                         n);
    EXPECT_TRUE(std::isnan(sum));
    for (const float v : out) EXPECT_TRUE(std::isnan(v));
  }
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

}  // namespace
}  // namespace leyden::simd
