#pragma once

#include <string>
#include <string_view>

#include "src/generate.h"
#include "src/runtime/elapsed.h"
#include "tools/repl/word_wrap.h"

namespace leyden::tools {

/// Where words of the program go: beside the answers on a terminal, to standard error in a pipe,
/// whose standard output belongs to the answers. Everything is made visible() before it is printed.
class Printer {
 public:
  /// conversing: a person sits at a terminal. styled: the terminal may be sent escape sequences.
  Printer(bool conversing, bool styled) : conversing_(conversing), styled_(styled) {}

  bool conversing() const { return conversing_; }
  bool styled() const { return styled_; }

  /// "LABELtext" as say() and note() take it, the text's lines broken between words for a person.
  std::string wrapped(std::string_view label, std::string_view text) const;
  /// What a command was asked for.
  void say(std::string_view text) const;
  /// A remark, dimmed; only to a person.
  void note(std::string_view text) const;
  /// What went wrong, to standard error.
  void complain(std::string_view text) const;

 private:
  bool conversing_, styled_;
};

/// Shows one answer while it grows: thoughts dimmed, or folded into one line that says how long
/// they take. At a terminal lines are broken between words; in a pipe thoughts go to standard error
/// and the answer ends with one newline.
class AnswerPrinter {
 public:
  AnswerPrinter(const Printer& printer, bool fold_thinking);

  void text(Channel channel, std::string_view text);
  /// What comes after the text, on a line of its own, which isn't broken.
  void tool_calls(std::string_view json);
  /// Ends the answer's last line.
  void finish();

 private:
  void reasoning(std::string_view text);
  void put_reasoning(std::string_view wrapped) const;
  void end_reasoning();
  void show_fold();

  const Printer* printer_;
  bool fold_;
  WordWrap wrap_;
  bool reasoning_ = false;  // thoughts have come, and have not been ended
  bool after_newline_ = true;
  runtime::Clock::time_point start_, last_shown_;
};

}  // namespace leyden::tools
