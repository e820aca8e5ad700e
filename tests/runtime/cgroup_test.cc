#include "src/runtime/cgroup.h"

#include <gtest/gtest.h>

#include "tests/formats/temp_directory.h"

namespace leyden::runtime {
namespace {

class CgroupTest : public testing::Test {
 protected:
  fixtures::TempDirectory group_;
};

TEST_F(CgroupTest, WhatTheKernelCanTakeBackIsNotUsed) {
  group_.write("memory.max", "1000\n");
  group_.write("memory.current", "900\n");
  EXPECT_EQ(memory_left_in(group_.path()), 100u);
  group_.write("memory.stat",
               "anon 200\nfile 650\nslab_reclaimable 40\ninactive_anon 150\nactive_anon 50\n"
               "inactive_file 500\nactive_file 100\nslab_unreclaimable 10\n");
  EXPECT_EQ(memory_left_in(group_.path()), 740u);
}

TEST_F(CgroupTest, ThereIsNoMoreThanTheLimit) {
  group_.write("memory.max", "1000\n");
  group_.write("memory.current", "300\n");
  group_.write("memory.stat", "inactive_file 200\nactive_file 200\n");  // read a little later
  EXPECT_EQ(memory_left_in(group_.path()), 1000u);
  group_.write("memory.current", "1200\n");
  group_.write("memory.stat", "");
  EXPECT_EQ(memory_left_in(group_.path()), 0u);
}

TEST_F(CgroupTest, WithoutALimitThereIsNothingToSay) {
  EXPECT_EQ(memory_left_in(group_.path()), std::nullopt);
  group_.write("memory.max", "max\n");
  group_.write("memory.current", "300\n");
  EXPECT_EQ(memory_left_in(group_.path()), std::nullopt);
}

TEST_F(CgroupTest, HugePagesThatArePromisedArentLeft) {
  EXPECT_EQ(huge_pages_left_in(group_.path()), std::nullopt);
  group_.write("hugetlb.2MB.max", "max\n");
  group_.write("hugetlb.2MB.current", "300\n");
  EXPECT_EQ(huge_pages_left_in(group_.path()), std::nullopt);
  group_.write("hugetlb.2MB.max", "1000\n");
  EXPECT_EQ(huge_pages_left_in(group_.path()), 700u);
  group_.write("hugetlb.2MB.rsvd.max", "max\n");
  group_.write("hugetlb.2MB.rsvd.current", "800\n");  // 500 of them untouched
  EXPECT_EQ(huge_pages_left_in(group_.path()), 200u);
  group_.write("hugetlb.2MB.rsvd.max", "900\n");
  EXPECT_EQ(huge_pages_left_in(group_.path()), 100u);
  group_.write("hugetlb.2MB.max", "0\n");
  EXPECT_EQ(huge_pages_left_in(group_.path()), 0u);
}

}  // namespace
}  // namespace leyden::runtime
