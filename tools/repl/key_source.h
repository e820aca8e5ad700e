#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "tools/repl/signals.h"

namespace leyden::tools {

/// Characters from standard input, one by one, woken by signals. What was read ahead stays here,
/// so all of a program's reading should go through one.
class KeySource {
 public:
  explicit KeySource(Signals& signals) : signals_(&signals) {}

  enum class State { kReady, kEnd, kWoken };

  /// Waits until there is a byte, the input has ended, or a signal came.
  State wait();

  /// The next character; bytes that aren't UTF-8 come as U+FFFD. Only after kReady; waits for the
  /// rest of a character that has begun. nullopt: the input ended, or a signal wants us to leave.
  std::optional<char32_t> next();

  /// The bytes up to the next newline, which is taken but not given, or to the end of the input.
  /// nullopt: the input has ended before the first byte, or a signal came; what had been read
  /// of the line then stays for the next call, unless drop() is called.
  /// Errors: std::runtime_error for a line that no context could hold (/dev/zero has one).
  std::optional<std::string> line();
  void drop() { line_.clear(); }

  /// Whether the input has ended and everything that came has been given.
  bool ended() const { return ended_ && at_ >= buffer_.size(); }

 private:
  bool fill();
  std::optional<unsigned char> byte();

  Signals* signals_;
  std::string buffer_, line_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

/// `character` as UTF-8.
std::string to_utf8(char32_t character);

}  // namespace leyden::tools
