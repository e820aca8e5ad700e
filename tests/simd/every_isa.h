#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "simd/kernels.h"

// Suites that run once per ISA level. Levels this machine lacks are skipped.
namespace leyden::simd {

inline constexpr Isa kEveryIsa[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni,
                                    Isa::kAmx};

/// Whether suites run on a level here. Weak: tests/simd/emulated has another answer.
[[gnu::weak]] bool runs_here(Isa isa) { return cpu_has(isa); }

/// A suite for LEYDEN_FOR_EVERY_ISA.
class EveryIsa : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!runs_here(isa())) GTEST_SKIP() << name(isa()) << " is not on this machine";
  }
  Isa isa() const { return GetParam(); }
  const Kernels& level() const { return kernels(isa()); }
  static const Kernels& reference() { return kernels(Isa::kScalar); }
};

/// A suite for LEYDEN_FOR_EVERY_ISA_AND_FORMAT. Format is an enum with a name(Format) beside it.
template <class Format>
class EveryIsaAndFormat : public testing::TestWithParam<std::tuple<Isa, Format>> {
 protected:
  void SetUp() override {
    if (!runs_here(isa())) GTEST_SKIP() << name(isa()) << " is not on this machine";
  }
  Isa isa() const { return std::get<0>(this->GetParam()); }
  Format format() const { return std::get<1>(this->GetParam()); }
};

/// Names of cases: "avx2", or "avx2_bf16".
struct CaseName {
  std::string operator()(const testing::TestParamInfo<Isa>& test) const {
    return std::string(name(test.param));
  }
  template <class Format>
  std::string operator()(const testing::TestParamInfo<std::tuple<Isa, Format>>& test) const {
    const auto [isa, format] = test.param;
    return std::string(name(isa)) + "_" + std::string(name(format));
  }
};

#define LEYDEN_FOR_EVERY_ISA(suite) \
  INSTANTIATE_TEST_SUITE_P(Isas, suite, testing::ValuesIn(simd::kEveryIsa), simd::CaseName())

/// `formats` is an array.
#define LEYDEN_FOR_EVERY_ISA_AND_FORMAT(suite, formats)                                 \
  INSTANTIATE_TEST_SUITE_P(                                                             \
      Isas, suite,                                                                      \
      testing::Combine(testing::ValuesIn(simd::kEveryIsa), testing::ValuesIn(formats)), \
      simd::CaseName())

}  // namespace leyden::simd
