#pragma once

#include <string>
#include <string_view>

namespace leyden::tools {

/// Breaks the lines of a text between words, where a terminal would break them inside one. The text
/// comes in pieces; at most a word is held back, until it is known to have ended. Wide characters
/// (Chinese, Japanese) are words each. What is wider than a line is left to the terminal, and so
/// are the lines of fenced code.
class WordWrap {
 public:
  /// columns: of the terminal; 0: all text passes as it is, at once.
  /// column: how much of the first line is taken.
  explicit WordWrap(int columns, int column = 0) : columns_(columns), column_(column) {}

  /// text: whole characters, visible().
  std::string push(std::string_view text);
  /// What was held back. The next text begins a line.
  std::string finish();

 private:
  void character(std::string_view c, std::string& out);
  void end_word(std::string& out);
  void pass_on(std::string& out);

  int columns_;
  int column_;               // where the terminal's cursor is
  std::string word_;         // held back
  int word_columns_ = 0;     // its width
  bool begins_line_ = true;  // no word has been on this line of the text
  bool begun_ = false;       // a part of this word has been passed on, because it is so long
  bool in_code_ = false;
};

}  // namespace leyden::tools
