#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace leyden::tools {

/// True if TERM names a terminal that understands escape sequences: it is set, and not "dumb".
bool terminal_has_escapes();
/// True if the environment asks for plain text (NO_COLOR is set and not empty, no-color.org).
bool no_color();
/// Columns of the terminal on standard output or standard error; 80 if there is none.
int terminal_columns();

/// True if standard error is a terminal that understands escape sequences.
bool stderr_is_terminal();

/// One line on standard error that is rewritten while something long goes on: how much is done, the
/// rate, the time left. Prints nothing unless standard error is a terminal; erases itself.
class ProgressLine {
 public:
  enum class Unit { kBytes, kTokens };
  explicit ProgressLine(std::string what, Unit unit = Unit::kBytes);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// detail: what is worked on right now, at the end of the line.
  void update(std::uint64_t done, std::uint64_t total, std::string_view detail = {});
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  Unit unit_;
  bool active_;
  bool shown_ = false;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace leyden::tools
