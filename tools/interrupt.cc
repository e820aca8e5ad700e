#include "tools/interrupt.h"

#include <csignal>

namespace leyden::tools {
namespace {

volatile std::sig_atomic_t pressed = 0;
struct sigaction previous;

void note(int) { pressed = 1; }

}  // namespace

InterruptGuard::InterruptGuard() {
  clear();
  struct sigaction action = {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, nullptr, &previous);
  if (previous.sa_handler == SIG_IGN) return;  // as a script's `&` asks for
  sigaction(SIGINT, &action, nullptr);         // without SA_RESTART: a waiting read returns
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &previous, nullptr); }

bool InterruptGuard::requested() const { return pressed != 0; }

void InterruptGuard::clear() { pressed = 0; }

}  // namespace leyden::tools
