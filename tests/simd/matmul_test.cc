#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <tuple>

#include "tests/simd/every_isa.h"
#include "tests/simd/matmul_problem.h"

namespace leyden::simd::test {
namespace {

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

/// A problem and what the reference makes of it: the same for every level, so computed once a
/// process.
struct Solved {
  MatmulProblem problem;
  std::vector<std::uint32_t> bits;
};

Solved& solved(Format format, int n_rows, int n_blocks, const std::vector<int>& widths,
               Values values, int stride) {
  static std::map<std::tuple<Format, int, int, std::vector<int>, Values, int>, Solved> known;
  const auto key = std::tuple(format, n_rows, n_blocks, widths, values, stride);
  auto at = known.find(key);
  if (at == known.end()) {
    MatmulProblem problem(format, n_rows, n_blocks, widths, values, /*seed=*/7);
    auto bits = bits_of(problem.run(Isa::kScalar, stride));
    at = known.emplace(key, Solved{std::move(problem), std::move(bits)}).first;
  }
  return at->second;
}

class MatmulTest : public EveryIsaAndFormat<Format> {
 protected:
  void expect_reference_bits(int n_rows, int n_blocks, const std::vector<int>& widths,
                             Values values = Values::kRandom) {
    const int stride = n_rows + 5;
    auto& [problem, expected] = solved(format(), n_rows, n_blocks, widths, values, stride);
    for (const Hints hints : this->hints()) {
      EXPECT_EQ(bits_of(problem.run(isa(), stride, hints)), expected)
          << n_rows << " rows, " << n_blocks << " blocks, first panel " << widths[0] << " wide"
          << (hints.bf16_at_once ? ", at once" : "")
          << (hints.loads_are_scarce ? ", loads are scarce" : "");
    }
  }

  /// None, and one that chooses another form where a format has two.
  std::vector<Hints> hints() const {
    if (format() == Format::kBf16 && has_bf16_dot()) return {{}, {.bf16_at_once = true}};
    if (format() == Format::kInt8 || format() == Format::kInt4) {
      return {{}, {.loads_are_scarce = true}};
    }
    return {{}};
  }
};

TEST_P(MatmulTest, MatchesTheReferenceForEveryPanelWidth) {
  for (int width = 1; width <= kPanelTokens; ++width) expect_reference_bits(48, 2, {width});
}

TEST_P(MatmulTest, MatchesTheReferenceForCroppedTiles) {
  for (const int n_rows : {1, 7, 15, 17, 31, 33, 48, 63, 65, 80, 144}) {
    expect_reference_bits(n_rows, 3, {1});
    expect_reference_bits(n_rows, 3, {5});
    expect_reference_bits(n_rows, 3, {20});
  }
}

TEST_P(MatmulTest, MatchesTheReferenceForFewAndManyBlocks) {
  for (const int n_blocks : {1, 2, 3, 7, 31, 56, 57}) {
    expect_reference_bits(32, n_blocks, {1});
    expect_reference_bits(32, n_blocks, {16, 3});
  }
}

TEST_P(MatmulTest, MatchesTheReferenceForSeveralPanels) {
  expect_reference_bits(33, 9, {64, 64});
  expect_reference_bits(33, 9, {64, 64, 11});
  expect_reference_bits(33, 9, {2, 1, 16, 4});
  expect_reference_bits(49, 18, {64, 64, 33});  // more than AMX keeps in a cache at a time
}

TEST_P(MatmulTest, MatchesTheReferenceAtTheExtremes) {
  for (const Values values : {Values::kZero, Values::kLargest, Values::kMostNegative, Values::kTiny,
                              Values::kSubnormal, Values::kJustSubnormal}) {
    expect_reference_bits(17, 3, {1}, values);
    expect_reference_bits(17, 3, {16, 2}, values);
    expect_reference_bits(33, 3, {49}, values);
  }
}

TEST_P(MatmulTest, GivesTheSameBitsHoweverItReadsAhead) {
  for (const int n_blocks : {1, 2, 9, 10, 11, 30}) {
    for (const int n_rows : {1, 16, 33, 60, 80}) {
      for (const int width : {1, 2, 4, 9}) {
        auto& [problem, expected] =
            solved(format(), n_rows, n_blocks, {width}, Values::kRandom, n_rows);
        for (const Hints hints : {Hints{.lead = Lead::kTwoRuns, .loads_are_scarce = true},
                                  Hints{.lead = Lead::kFarL2}}) {
          EXPECT_EQ(bits_of(problem.run(isa(), n_rows, hints)), expected)
              << n_rows << " rows, " << n_blocks << " blocks, " << width << " tokens";
        }
      }
    }
  }
}

TEST_P(MatmulTest, ReadsNoActivationsBehindTheLastToken) {
  for (const int width : {1, 9, 16, 17, 31, 33, 63}) {
    MatmulProblem problem(format(), 33, 3, {width}, Values::kRandom, /*seed=*/7);
    problem.guard_activations();
    const auto expected = bits_of(problem.run(Isa::kScalar, 33));
    for (const Hints hints : this->hints()) {
      EXPECT_EQ(bits_of(problem.run(isa(), 33, hints)), expected) << width;
    }
  }
}

TEST_P(MatmulTest, DoesNothingWithoutRowsOrPanels) {
  expect_reference_bits(0, 2, {1});
  MatmulProblem problem(format(), 16, 1, {}, Values::kRandom, /*seed=*/7);
  EXPECT_TRUE(problem.run(isa(), 16).empty());
}

LEYDEN_FOR_EVERY_ISA_AND_FORMAT(MatmulTest, kFormats);

}  // namespace
}  // namespace leyden::simd::test
