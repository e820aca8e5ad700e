#include "src/runtime/spin.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace leyden::runtime {
namespace {

using Clock = std::chrono::steady_clock;

TEST(SpinUntil, ReturnsOnceItHolds) {
  int asked = 0;
  EXPECT_TRUE(spin_until([&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

TEST(SpinUntil, TakesItsTimeWhateverAPauseTakes) {
  Clock::duration best = Clock::duration::max();  // what is longer was interrupted
  for (int i = 0; i < 200; ++i) {
    const Clock::time_point start = Clock::now();
    EXPECT_FALSE(spin_until([] { return false; }));
    best = std::min(best, Clock::now() - start);
  }
  EXPECT_GE(best, kSpinTime);
  EXPECT_LT(best, 2 * kSpinTime);
}

}  // namespace
}  // namespace leyden::runtime
