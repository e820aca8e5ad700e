#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "simd/kernels.h"
#include "simd/layout.h"
#include "tests/simd/row_cases.h"

// What tests of attention have in common: memory, queries, what comes out, and awkward rows.
namespace leyden::simd {

inline std::size_t at(int i) { return static_cast<std::size_t>(i); }

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

/// Bits, NaN always the same: its payload isn't part of the contract.
struct Result {
  std::vector<std::uint32_t> max, sum, out;
  bool operator==(const Result&) const = default;

  /// That of query i alone.
  Result of(int i) const {
    const auto width = static_cast<std::ptrdiff_t>(out.size() / max.size());
    const auto row = out.begin() + i * width;
    return {{max[at(i)]}, {sum[at(i)]}, {row, row + width}};
  }
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
    return {bits(max_.values()), bits(sum_.values()), bits(kept)};
  }

 private:
  static std::vector<std::uint32_t> bits(std::vector<float> values) {
    for (float& v : values) v = std::isnan(v) ? std::numeric_limits<float>::quiet_NaN() : v;
    return bits_of(values);
  }

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
inline constexpr Extreme kExtremes[] = {
    {"zeros", 0.0f, 0.0f, [](int) { return 1.0f; }},
    {"all equal, the longest code vectors", 0.01f, 1.0f, [](int) { return 1.0f; }},
    {"the same with signs", 0.01f, 1.0f, [](int i) { return i % 3 == 0 ? -1.0f : 1.0f; }},
    {"huge values", 1e-35f, 1e35f, [](int i) { return i % 5 == 0 ? 3.0f : 0.25f; }},
    {"tiny values", 1e-32f, 1e-32f, [](int) { return 1.0f; }},
    {"one value in a hundred", 0.5f, 1.0f, [](int i) { return i % 101 == 0 ? 7.0f : 0.0f; }},
    {"outliers", 0.01f, 1.0f, [](int i) { return i % 61 == 0 ? 500.0f : 0.5f; }},
};
inline std::vector<float> extreme_row(const Extreme& extreme, int n, float factor) {
  std::vector<float> x;
  for (int i = 0; i < n; ++i) x.push_back(factor * extreme.pattern(i));
  return x;
}

/// The level's result is the reference's to the bit, and no value of it infinite or NaN.
template <typename Problem>
void expect_finite_reference_bits(const Problem& problem, Isa isa) {
  const Result result = problem.run(isa);
  EXPECT_EQ(result, problem.run(Isa::kScalar));
  for (const std::uint32_t out : result.out) {
    ASSERT_TRUE(std::isfinite(std::bit_cast<float>(out)));
  }
}

/// One value of a problem that isn't finite: in the row of a query or of a key, and where there.
struct Flaw {
  bool is_query;
  int row, column;
  float value;
};

/// Queries which see the flaw have the reference's bits and a sum or an output that is no number;
/// the others have the bits they have without it.
template <typename Problem>
void expect_seen_by_its_queries_only(Problem problem, Isa isa, const Flaw& flaw) {
  SCOPED_TRACE(std::string(flaw.is_query ? "query " : "key ") + std::to_string(flaw.row) + "[" +
               std::to_string(flaw.column) + "] = " + std::to_string(flaw.value));
  const Result clean = problem.run(isa);
  problem.flaw = &flaw;
  const Result result = problem.run(isa);
  EXPECT_EQ(result, problem.run(Isa::kScalar));
  for (int i = 0; i < problem.n_queries; ++i) {
    if (flaw.is_query ? i != flaw.row : !problem.sees(i, flaw.row)) {
      EXPECT_EQ(result.of(i), clean.of(i)) << "query " << i;
      continue;
    }
    std::vector<std::uint32_t> shown = result.of(i).out;
    shown.push_back(result.sum[at(i)]);
    EXPECT_TRUE(
        std::any_of(shown.begin(), shown.end(),
                    [](std::uint32_t bits) { return !std::isfinite(std::bit_cast<float>(bits)); }))
        << "query " << i;
  }
}

/// Finite values whose products overflow: no output looks like a number.
inline constexpr Extreme kOverflow = {"overflow", 1e25f, 1e25f,
                                      [](int i) { return i % 3 == 0 ? 2.0f : 1.0f; }};
template <typename Problem>
void expect_nothing_but_nan(const Problem& problem, Isa isa) {
  const Result result = problem.run(isa);
  EXPECT_EQ(result, problem.run(Isa::kScalar));
  for (const std::uint32_t out : result.out) ASSERT_TRUE(std::isnan(std::bit_cast<float>(out)));
}

inline constexpr float kNonFinite[] = {
    std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
    std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};

}  // namespace leyden::simd
