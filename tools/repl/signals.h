#pragma once

#include <optional>

namespace leyden::tools {

/// While one exists, signals are news to be asked for instead of ends of the program: Ctrl-C
/// (SIGINT), the wish that we leave (SIGTERM, SIGHUP), a window of another size (SIGWINCH), and
/// our being continued after Ctrl-Z (SIGCONT). Those that are ignored when it is made stay so. One
/// at a time.
class Signals {
 public:
  /// Errors: std::system_error if the kernel has no event descriptor left.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Ctrl-C was pressed since the last clear_interrupt().
  bool interrupted() const;
  void clear_interrupt();
  /// The signal that wants the program to end, if one came. It stays.
  std::optional<int> leaving() const;
  /// True once after the window changed, or the program was continued.
  bool take_redraw();

  /// Readable (poll) after any of these signals, whichever thread got it; settle() ends that.
  int wake_descriptor() const;
  void settle();
};

}  // namespace leyden::tools
