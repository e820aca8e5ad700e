#include "src/runtime/spin.h"

#include <gtest/gtest.h>

namespace leyden::runtime {
namespace {

using Clock = std::chrono::steady_clock;

TEST(SpinUntil, ReturnsOnceItHolds) {
  int asked = 0;
  EXPECT_TRUE(spin_until([&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

TEST(SpinUntil, TakesItsTimeWhateverAPauseTakes) {
  const Clock::time_point start = Clock::now();
  EXPECT_FALSE(spin_until([] { return false; }));
  EXPECT_GE(Clock::now() - start, kSpinTime);
}

}  // namespace
}  // namespace leyden::runtime
