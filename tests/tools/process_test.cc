#include "tools/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace leyden::tools {
namespace {

/// Whether, in a process whose standard output was closed, a file of ours gets its number.
[[noreturn]] void open_a_file_without_standard_output(bool prepared) {
  ::close(STDOUT_FILENO);
  if (prepared) prepare_process();
  const int file = ::open("/dev/null", O_WRONLY);
  const bool fails = ::write(STDOUT_FILENO, "x", 1) < 0 && errno == EBADF;
  std::_Exit(file == STDOUT_FILENO ? 1 : fails ? 0 : 2);
}

TEST(ProcessDeathTest, NoFileTakesTheNumberOfAClosedStandardOutput) {
  EXPECT_EXIT(open_a_file_without_standard_output(false), ::testing::ExitedWithCode(1), "");
  EXPECT_EXIT(open_a_file_without_standard_output(true), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace leyden::tools
