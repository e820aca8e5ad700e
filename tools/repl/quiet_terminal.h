#pragma once

#include <termios.h>

namespace leyden::tools {

/// While one exists, keys pressed at the terminal on standard input are kept for the next prompt
/// and not echoed into the answer; Ctrl-C stays a signal.
class QuietTerminal {
 public:
  QuietTerminal();
  ~QuietTerminal();
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  /// Again, after the program was stopped and continued.
  void apply() const;

 private:
  termios before_ = {};
  bool active_;  // after before_, which its initialization fills
};

}  // namespace leyden::tools
