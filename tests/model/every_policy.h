#pragma once

#include <gtest/gtest.h>

#include <string>

#include "src/model/placement.h"

namespace leyden::model {

/// Tests that hold for every way to divide weights: TEST_P(SUITE, ...) after
/// LEYDEN_EVERY_POLICY(SUITE).
#define LEYDEN_EVERY_POLICY(suite)                                                      \
  class suite : public testing::TestWithParam<NumaPolicy> {};                           \
  INSTANTIATE_TEST_SUITE_P(                                                             \
      Policies, suite,                                                                  \
      testing::Values(NumaPolicy::kSplit, NumaPolicy::kWhole, NumaPolicy::kInterleave), \
      [](const auto& param) { return std::string(name(param.param)); })

}  // namespace leyden::model
