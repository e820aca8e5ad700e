// refusing CALL PROGRAM [ARG...]: runs a program to which the kernel refuses one system call, mbind
// or move_pages, as rules of containers do.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace {

bool refuse(unsigned call) {
  std::array<sock_filter, 4> program = {{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog filter = {program.size(), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 2 ? argv[1] : "";
  const unsigned call = name == "mbind" ? SYS_mbind : name == "move_pages" ? SYS_move_pages : 0;
  if (call == 0) {
    std::fputs("usage: refusing mbind|move_pages PROGRAM [ARG...]\n", stderr);
    return 2;
  }
  if (!refuse(call)) {
    std::perror("refusing");
    return 1;
  }
  execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 127;
}
