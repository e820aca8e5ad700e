// refusing CALL PROGRAM [ARG...]: runs a program to which the kernel refuses one system call, mbind
// or move_pages, as rules of containers do.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "tests/refuse_call.h"

int main(int argc, char** argv) {
  const std::string_view name = argc > 2 ? argv[1] : "";
  const unsigned call = name == "mbind" ? SYS_mbind : name == "move_pages" ? SYS_move_pages : 0;
  if (call == 0) {
    std::fputs("usage: refusing mbind|move_pages PROGRAM [ARG...]\n", stderr);
    return 2;
  }
  if (!leyden::fixtures::refuse_call(call, EPERM)) {
    std::perror("refusing");
    return 1;
  }
  execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 127;
}
