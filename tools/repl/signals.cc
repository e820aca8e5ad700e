#include "tools/repl/signals.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

namespace leyden::tools {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT};

volatile std::sig_atomic_t interrupt_seen = 0, redraw_seen = 0, leave_signal = 0;
volatile int wake = -1;
std::array<struct sigaction, kSignals.size()> previous;

void note(int signal) {
  const int saved = errno;
  if (signal == SIGINT) {
    interrupt_seen = 1;
  } else if (signal == SIGWINCH || signal == SIGCONT) {
    redraw_seen = 1;
  } else {
    leave_signal = signal;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake, &one, sizeof one);
  errno = saved;
}

}  // namespace

Signals::Signals() {
  wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  interrupt_seen = 0;
  redraw_seen = 0;
  leave_signal = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // who waits for keys is woken by the descriptor
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &previous[i]);
    // What nohup, or a script's `&`, has us ignore, we ignore.
    if (previous[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

Signals::~Signals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous[i], nullptr);
  ::close(wake);
  wake = -1;
}

bool Signals::interrupted() const { return interrupt_seen != 0; }
void Signals::clear_interrupt() { interrupt_seen = 0; }

std::optional<int> Signals::leaving() const {
  if (leave_signal == 0) return std::nullopt;
  return leave_signal;
}

bool Signals::take_redraw() {
  const bool seen = redraw_seen != 0;
  redraw_seen = 0;
  return seen;
}

int Signals::wake_descriptor() const { return wake; }

void Signals::settle() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(wake, &count, sizeof count);
}

}  // namespace leyden::tools
