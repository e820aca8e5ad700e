#include "quant/error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace leyden::quant {
namespace {

TEST(ErrorMeterTest, EqualRowsHaveNoError) {
  const std::vector<float> w = {1, -2, 0, 4};
  ErrorMeter meter;
  EXPECT_EQ(meter.figures().relative_rmse, 0);
  meter.add(w.data(), w.data(), 2, 2, 2);
  EXPECT_EQ(meter.figures().relative_rmse, 0);
  EXPECT_EQ(meter.figures().worst_group, 0);
  EXPECT_EQ(meter.figures().cosine, 1);
}

TEST(ErrorMeterTest, FiguresAreTheirEquations) {
  // Two rows of 33 columns, 40 apart: groups [0, 32) and [32, 33) each.
  std::vector<float> w(80, 0.0f), q(80, 99.0f);
  for (int r = 0; r < 2; ++r) {
    for (std::size_t k = 0; k < 33; ++k) {
      w[std::size_t(r) * 40 + k] = 2;
      q[std::size_t(r) * 40 + k] = 2;
    }
  }
  q[5] = 1;        // error 1 in a group of energy 128
  q[40 + 32] = 3;  // error 1 in a group of energy 4
  ErrorMeter meter;
  meter.add(w.data(), q.data(), 2, 33, 40);
  const double ww = 66 * 4, qq = 64 * 4 + 1 + 9, wq = 64 * 4 + 2 + 6;
  EXPECT_DOUBLE_EQ(meter.figures().relative_rmse, std::sqrt(2 / ww));
  EXPECT_DOUBLE_EQ(meter.figures().worst_group, 0.5);
  EXPECT_DOUBLE_EQ(meter.figures().cosine, wq / std::sqrt(ww * qq));

  ErrorMeter first, second;
  first.add(w.data(), q.data(), 1, 33, 40);
  second.add(w.data() + 40, q.data() + 40, 1, 33, 40);
  first.merge(second);
  EXPECT_DOUBLE_EQ(first.figures().relative_rmse, meter.figures().relative_rmse);
  EXPECT_DOUBLE_EQ(first.figures().worst_group, meter.figures().worst_group);
  EXPECT_DOUBLE_EQ(first.figures().cosine, meter.figures().cosine);
}

TEST(ErrorMeterTest, ZerosAreFineUnlessTheyCameBackAsSomething) {
  const std::vector<float> zeros(32, 0.0f), ones(32, 1.0f);
  ErrorMeter fine, broken, lost;
  fine.add(zeros.data(), zeros.data(), 1, 32, 32);
  EXPECT_EQ(fine.figures().relative_rmse, 0);
  EXPECT_EQ(fine.figures().cosine, 1);
  broken.add(zeros.data(), ones.data(), 1, 32, 32);
  EXPECT_TRUE(std::isinf(broken.figures().relative_rmse));
  EXPECT_TRUE(std::isinf(broken.figures().worst_group));
  lost.add(ones.data(), zeros.data(), 1, 32, 32);
  EXPECT_EQ(lost.figures().relative_rmse, 1);
  EXPECT_EQ(lost.figures().cosine, 0);
}

TEST(ErrorMeterTest, NaNsWinEverywhere) {
  const std::vector<float> ones(64, 1.0f), zeros(64, 0.0f);
  std::vector<float> with_nan = ones;
  with_nan[40] = std::numeric_limits<float>::quiet_NaN();
  const auto expect_nans = [](const ErrorMeter& meter) {
    EXPECT_TRUE(std::isnan(meter.figures().relative_rmse));
    EXPECT_TRUE(std::isnan(meter.figures().worst_group));
    EXPECT_TRUE(std::isnan(meter.figures().cosine));
  };
  using Rows = const std::vector<float>*;
  const std::pair<Rows, Rows> cases[] = {{&ones, &with_nan},
                                         {&with_nan, &ones},
                                         {&with_nan, &zeros},
                                         {&zeros, &with_nan},
                                         {&with_nan, &with_nan}};
  for (const auto& [original, packed] : cases) {
    ErrorMeter meter, fine, all;
    meter.add(original->data(), packed->data(), 1, 64, 64);
    expect_nans(meter);
    fine.add(ones.data(), zeros.data(), 1, 64, 64);
    all.merge(fine);
    all.merge(meter);
    all.merge(fine);
    expect_nans(all);
  }
}

}  // namespace
}  // namespace leyden::quant
