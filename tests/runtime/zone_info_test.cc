#include "src/runtime/zone_info.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

namespace leyden::runtime {
namespace {

// Cut from a machine of two nodes; only the first has low addresses.
constexpr const char* kZones = R"(Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 1651
  pages free     3840
        boost    0
        min      10
        low      13
        high     16
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 3018, 24090, 24090, 24090)
      nr_free_pages 3840
  pagesets
    cpu: 0
              count:    0
              high:     7
              batch:    1
Node 0, zone    DMA32
  pages free     772296
        high     4000
        managed  772296
        protection: (0, 0, 21071, 21071, 21071)
Node 0, zone   Normal
  pages free     4869290
        high     25000
        managed  5394346
        protection: (0, 0, 0, 0, 0)
Node 1, zone   Normal
  pages free     4869290
        high     30000
        managed  5394346
        protection: (0, 0, 0, 0, 0)
)";

std::size_t pages_kept(int node, double boost) {
  std::istringstream zones(kZones);
  return kept_by_kernel(zones, node, boost) / static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(ZoneInfo, WatermarksAndLowAddressesAreKept) {
  EXPECT_EQ(pages_kept(0, 0), 3840u + (4000 + 21071) + 25000);
  EXPECT_EQ(pages_kept(1, 0), 30000u);
}

TEST(ZoneInfo, TheKernelMayRaiseAWatermark) { EXPECT_EQ(pages_kept(1, 1.5), 75000u); }

TEST(ZoneInfo, ANodeThatIsNotThereKeepsNothing) {
  EXPECT_EQ(pages_kept(10, 1.5), 0u);
  std::istringstream nothing;
  EXPECT_EQ(kept_by_kernel(nothing, 0, 1.5), 0u);
}

}  // namespace
}  // namespace leyden::runtime
