#pragma once

#include <string>

#include "tools/repl/key_source.h"
#include "tools/repl/signals.h"

namespace leyden::tools {

/// What came from the person, or the file, at the other end.
struct Input {
  enum class Kind { kText, kInterrupt, kEnd };
  Kind kind;
  std::string text;       // kText: a message or a command, complete
  bool had_text = false;  // kInterrupt: a text had been begun, which is gone now
};

/// Reads one message or command after the other.
class InputReader {
 public:
  virtual ~InputReader() = default;
  virtual Input read() = 0;
};

/// Reads lines as they are: from a pipe each is a message; on a terminal without line editing there
/// is a prompt, and a line may be continued (see Unfinished).
class PlainReader : public InputReader {
 public:
  PlainReader(KeySource& keys, Signals& signals, bool on_terminal)
      : keys_(&keys), signals_(&signals), on_terminal_(on_terminal) {}
  Input read() override;

 private:
  void prompt(const char* text) const;

  KeySource* keys_;
  Signals* signals_;
  bool on_terminal_;
};

}  // namespace leyden::tools
