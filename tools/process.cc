#include "tools/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <initializer_list>

namespace leyden::tools {

void prepare_process() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one. Writing results to what was closed must go on failing,
    // hence the wrong direction; but whoever closes standard error wants to hear nothing.
    [[maybe_unused]] const int opened =
        ::open("/dev/null", descriptor == STDOUT_FILENO ? O_RDONLY : O_RDWR);
  }
  std::signal(SIGXFSZ, SIG_IGN);
  // hwloc prints what it dislikes about a machine (no /sys in a sandbox); we run well without.
  ::setenv("HWLOC_HIDE_ERRORS", "2", /*overwrite=*/0);
}

}  // namespace leyden::tools
