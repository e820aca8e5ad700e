#include "tools/repl/quiet_terminal.h"

#include <unistd.h>

namespace leyden::tools {

QuietTerminal::QuietTerminal() : active_(::tcgetattr(STDIN_FILENO, &before_) == 0) { apply(); }

QuietTerminal::~QuietTerminal() {
  if (!active_) return;
  before_.c_oflag |= OPOST | ONLCR;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void QuietTerminal::apply() const {
  if (!active_) return;
  termios quiet = before_;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  quiet.c_lflag |= ISIG;
  quiet.c_oflag |= OPOST | ONLCR;  // libedit may have left its raw output behind
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
}

}  // namespace leyden::tools
